#!/usr/bin/env python
"""The operator's command line: `manage.py help` lists the commands."""

import os
import sys

from django.core.management import execute_from_command_line

from gateway.supervisor import up


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        # Before Django reads its settings: `up` makes the secrets and the stores that they need.
        sys.exit(up.main(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
