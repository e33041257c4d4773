"""`manage.py create_api_key`: a key for an organization, printed once."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Makes an API key (or an Admin key) and prints it, alone on the last line. It is not stored readably."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        parser.add_argument("--name", required=True, metavar="N", help="what the key is called in lists")
        parser.add_argument(
            "--workspace",
            metavar="NAME",
            help="the one workspace that the key works in; without it the key works in all of them, in the "
            "default one unless a request names another in the anthropic-workspace-id header",
        )
        for verb, effect in (("allow", "only these models may be called"), ("deny", "these may not")):
            parser.add_argument(
                f"--{verb}-model",
                action="append",
                default=[],
                metavar="NAME",
                help=f"{effect}: a name or alias, * stands for anything; can be given several times",
            )
        parser.add_argument(
            "--allow-ip",
            action="append",
            default=[],
            metavar="NETWORK",
            help="only from this address or network, such as 10.0.0.0/8; can be given several times",
        )
        parser.add_argument(
            "--admin", action="store_true", help="a key for the Admin API, which cannot call models"
        )

    def handle(
        self,
        *,
        organization: str,
        name: str,
        workspace: str | None,
        allow_model: list[str],
        deny_model: list[str],
        allow_ip: list[str],
        admin: bool,
        **options: object,
    ) -> None:
        owner = named.organization(organization)
        key, secret = api_keys.create(
            actor=SYSTEM,
            organization=owner,
            name=name,
            kind="admin" if admin else "api",
            workspace=None if workspace is None else named.workspace(owner, workspace),
            allowed_models=allow_model,
            denied_models=deny_model,
            allowed_ips=allow_ip,
        )
        self.stdout.write(
            f"{'Admin' if admin else 'API'} key {key.id} of {owner.name}; it is shown only now:"
        )
        self.stdout.write(secret)
