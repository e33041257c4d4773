import time

from anthropic import Anthropic

client = Anthropic(
    base_url="http://127.0.0.1:8000",
    api_key="YOUR_API_KEY",
)

batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": f"greeting-{number}",
            "params": {
                "model": "claude-sonnet-5-5",
                "max_tokens": 256,
                "messages": [{"role": "user", "content": f"Say hello in {number} words."}],
            },
        }
        for number in range(2, 5)
    ]
)
while client.messages.batches.retrieve(batch.id).processing_status != "ended":
    time.sleep(5)
for line in client.messages.batches.results(batch.id):
    print(line.custom_id, line.result.type)
