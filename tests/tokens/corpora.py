"""Texts of the kinds that requests carry, each of some thousand tokens."""

from __future__ import annotations

import inspect
import json
import textwrap

ENGLISH = " ".join(
    f"On day {day} the surveyor walked {day * 3} miles along the river, measured how high it stood, and "
    "wrote in her notebook that the old bridge wouldn't survive another winter unless somebody repaired it."
    for day in range(1, 60)
)
CODE = inspect.getsource(textwrap) + inspect.getsource(json.decoder)
CHINESE = "".join(
    f"第{number}章讲述了网关如何把请求转发给上游服务商,同时记录每一个租户使用的词元数量和费用。管理员可以在控制台里查看实时数据。"
    for number in range(1, 60)
)
EMOJI = "🚀 Ship it! 👩‍💻👨‍👩‍👧‍👦 👍🏽 🇩🇪 naïve café ☕️ → ✅ " * 80
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        f"field_{number}": {
            "type": "string",
            "description": f"The {number}th field of the order, as it is printed on the invoice.",
            "enum": ["pending", "shipped", "delivered"],
        }
        for number in range(50)
    },
    "required": [f"field_{number}" for number in range(50)],
}
