from django.urls import path

from dashboard.api_keys import change_views as key_changes
from dashboard.api_keys import views as api_keys
from dashboard.audit_log import views as audit_log
from dashboard.batches import item_views as batch_items
from dashboard.batches import start_views as new_batch
from dashboard.batches import views as batches
from dashboard.catalog import model_views as operate_models
from dashboard.catalog import provider_views as operate_providers
from dashboard.catalog import views as catalog
from dashboard.cost import budget_views as budgets
from dashboard.cost import views as cost
from dashboard.design import views as design
from dashboard.frame import preference_views as preferences
from dashboard.limits import views as limits
from dashboard.logs import views as logs
from dashboard.members import invitation_views as invitations
from dashboard.members import service_account_views as service_accounts
from dashboard.members import views as members
from dashboard.operators import key_views as operator_keys
from dashboard.operators import organization_views as operate_organizations
from dashboard.operators import tier_views as operate_tiers
from dashboard.overview import views as overview
from dashboard.playground import permit_views as playground_permit
from dashboard.playground import views as playground
from dashboard.quickstart import views as quickstart
from dashboard.search import views as search
from dashboard.settings import organization_views as organization_settings
from dashboard.settings import second_factor_views as second_factors
from dashboard.settings import security_views as security
from dashboard.settings import sso_views as sso_settings
from dashboard.settings import views as settings
from dashboard.settings import webhook_views as webhooks
from dashboard.sign_in import forgotten_views as forgotten
from dashboard.sign_in import invite_views as invites
from dashboard.sign_in import password_reset_views as password_reset
from dashboard.sign_in import views as sign_in
from dashboard.single_sign_on import views as sso
from dashboard.usage import views as usage
from dashboard.workspaces import member_views as workspace_members
from dashboard.workspaces import use_views as workspace_use
from dashboard.workspaces import views as workspaces

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("overview/usage", overview.usage_region, name="overview_usage"),
    path("usage", usage.usage, name="usage"),
    path("usage.csv", usage.usage_file, name="usage_file"),
    path("usage/ask", budgets.ask_for_budget, name="ask_for_budget"),
    path("cost", cost.cost, name="cost"),
    path("cost.csv", cost.cost_file, name="cost_file"),
    path("cost/budgets/new", budgets.new_budget, name="new_budget"),
    path("cost/budgets/<str:id>", budgets.edit_budget, name="budget"),
    path("cost/budgets/<str:id>/remove", budgets.remove_budget, name="remove_budget"),
    path("cost/requests/<str:id>", budgets.decide, name="budget_request"),
    path("overview/limits", overview.limits_region, name="overview_limits"),
    path("limits", limits.limits, name="limits"),
    path("workspaces", workspaces.workspaces, name="workspaces"),
    path("workspaces/new", workspaces.create_workspace, name="create_workspace"),
    path("workspaces/<str:id>", workspaces.workspace, name="workspace"),
    path("workspaces/<str:id>/edit", workspaces.edit_workspace, name="edit_workspace"),
    path("workspaces/<str:id>/models", workspaces.set_workspace_models, name="set_workspace_models"),
    path("workspaces/<str:id>/contents", workspaces.keep_workspace_contents, name="keep_workspace_contents"),
    path("workspaces/<str:id>/archive", workspaces.archive_workspace, name="archive_workspace"),
    path("workspaces/<str:id>/members", workspace_members.member_list, name="workspace_members"),
    path("workspaces/<str:id>/members/add", workspace_members.add_member, name="add_workspace_member"),
    path(
        "workspaces/<str:id>/members/<str:user_id>/role",
        workspace_members.set_member_role,
        name="set_workspace_member_role",
    ),
    path(
        "workspaces/<str:id>/members/<str:user_id>/remove",
        workspace_members.remove_member,
        name="remove_workspace_member",
    ),
    path("workspaces/<str:id>/limits", workspace_use.limits, name="workspace_limits"),
    path(
        "workspaces/<str:id>/limits/<str:rate_limit_id>",
        workspace_use.set_limits,
        name="set_workspace_limits",
    ),
    path("workspaces/<str:id>/keys", workspace_use.keys, name="workspace_keys"),
    path("workspaces/<str:id>/spend", workspace_use.spend, name="workspace_spend"),
    path("members", members.members, name="members"),
    path("members.csv", members.members_file, name="members_file"),
    path("members/invite", invitations.invite_people, name="invite_people"),
    path("members/invites", invitations.invite_list, name="member_invites"),
    path("members/invites/<str:id>/link", invitations.new_link, name="new_invite_link"),
    path("members/invites/<str:id>/resend", invitations.resend_invite, name="resend_invite"),
    path("members/invites/<str:id>/revoke", invitations.revoke_invite, name="revoke_invite"),
    path("members/service-accounts", service_accounts.service_accounts, name="service_accounts"),
    path("members/service-accounts/new", service_accounts.create, name="create_service_account"),
    path("members/service-accounts/<str:id>", service_accounts.service_account, name="service_account"),
    path("members/service-accounts/<str:id>/edit", service_accounts.edit, name="edit_service_account"),
    path(
        "members/service-accounts/<str:id>/archive",
        service_accounts.archive,
        name="archive_service_account",
    ),
    path("members/service-accounts/<str:id>/place", service_accounts.place_in, name="place_service_account"),
    path(
        "members/service-accounts/<str:id>/remove/<str:workspace_id>",
        service_accounts.remove_from,
        name="remove_service_account_place",
    ),
    path("members/<str:id>", members.member, name="member"),
    path("members/<str:id>/role", members.set_role, name="set_member_role"),
    path("members/<str:id>/remove", members.remove_member, name="remove_member"),
    path("api-keys", api_keys.api_keys, name="api_keys"),
    path("api-keys.csv", api_keys.api_keys_csv, name="api_keys_csv"),
    path("api-keys/new", key_changes.create, name="create_api_key"),
    path("api-keys/find", api_keys.find, name="find_api_key"),
    path("api-keys/<str:id>", api_keys.api_key, name="api_key"),
    path("api-keys/<str:id>/first-request", api_keys.first_request, name="api_key_first_request"),
    path("api-keys/<str:id>/edit", key_changes.edit, name="edit_api_key"),
    path("api-keys/<str:id>/rotate", key_changes.rotate, name="rotate_api_key"),
    path("api-keys/<str:id>/switch", key_changes.switch, name="switch_api_key"),
    path("api-keys/<str:id>/archive", key_changes.archive, name="archive_api_key"),
    path("batches", batches.batches, name="batches"),
    path("batches/new", new_batch.new_batch, name="new_batch"),
    path("batches/<str:id>", batches.batch, name="batch"),
    path("batches/<str:id>/items/<int:number>", batch_items.batch_item, name="batch_item"),
    path("batches/<str:id>/<str:name>.jsonl", batch_items.batch_file, name="batch_file"),
    path("batches/<str:id>/again", new_batch.batch_again, name="batch_again"),
    path("batches/<str:id>/events", batches.events, name="batch_events"),
    path("batches/<str:id>/cancel", batches.cancel, name="cancel_batch"),
    path("logs", logs.logs, name="logs"),
    path("logs.csv", logs.csv_file, name="logs_csv"),
    path("logs.json", logs.json_file, name="logs_json"),
    path("logs/events", logs.events, name="log_events"),
    path("logs/<str:id>", logs.log, name="log"),
    path("logs/<str:id>/content", logs.content, name="log_content"),
    path("models", catalog.catalog, name="catalog"),
    path("models/health", catalog.catalog_health, name="catalog_health"),
    path("models/new", operate_models.new_model, name="new_model"),
    path("models/published-prices", operate_models.published_prices, name="published_prices"),
    path("models/of/<path:name>", catalog.model, name="model"),
    path("models/edit/<path:name>", operate_models.edit_model, name="edit_model"),
    path("models/price/<path:name>", operate_models.price_model, name="price_model"),
    path("models/remove/<path:name>", operate_models.remove_model, name="remove_model"),
    path("providers/new", operate_providers.new_provider, name="new_provider"),
    path("providers/of/<path:name>", operate_providers.provider, name="provider"),
    path("providers/edit/<path:name>", operate_providers.edit_provider, name="edit_provider"),
    path("providers/drain/<path:name>", operate_providers.drain_provider, name="drain_provider"),
    path("providers/put-back/<path:name>", operate_providers.put_back_provider, name="put_back_provider"),
    path("providers/remove/<path:name>", operate_providers.remove_provider, name="remove_provider"),
    path("providers/keys/add/<path:name>", operate_providers.add_provider_key, name="add_provider_key"),
    path(
        "providers/keys/<int:id>/remove/<path:name>",
        operate_providers.remove_provider_key,
        name="remove_provider_key",
    ),
    path("providers/test/<path:name>", operate_providers.check_provider, name="check_provider"),
    path("providers/tests/<int:id>/<path:name>", operate_providers.provider_check, name="provider_check"),
    path("audit-log", audit_log.audit_log, name="audit_log"),
    path("audit-log/new", audit_log.audit_log_new, name="audit_log_new"),
    path("audit-log/verify", audit_log.verify_audit_log, name="verify_audit_log"),
    path("audit-log.csv", audit_log.audit_log_csv, name="audit_log_csv"),
    path("audit-log/<int:id>", audit_log.audit_entry, name="audit_entry"),
    path("playground", playground.playground, name="playground"),
    path("playground/models", playground.models, name="playground_models"),
    path("playground/answers/<str:id>", playground.answer, name="playground_answer"),
    path("playground/requests/<str:id>", playground.asked, name="playground_request"),
    path("playground/prompts", playground.save_prompt, name="save_prompt"),
    path("playground/prompts/<str:id>/delete", playground.delete_prompt, name="delete_prompt"),
    path("playground/permit", playground_permit.permit, name="playground_permit"),
    path("quickstart", quickstart.quickstart, name="quickstart"),
    path("quickstart/first-request", quickstart.first_request, name="first_request"),
    path("organizations", operate_organizations.operated_organizations, name="operated_organizations"),
    path("organizations/new", operate_organizations.new_organization, name="new_organization"),
    path("organizations/<str:id>", operate_organizations.operated_organization, name="operated_organization"),
    path("organizations/<str:id>/edit", operate_organizations.edit_organization, name="edit_organization"),
    path(
        "organizations/<str:id>/suspend",
        operate_organizations.suspend_organization,
        name="suspend_organization",
    ),
    path(
        "organizations/<str:id>/resume", operate_organizations.resume_organization, name="resume_organization"
    ),
    path("organizations/<str:id>/credit", operate_organizations.adjust_credit, name="adjust_credit"),
    path("organizations/<str:id>/prepaid", operate_organizations.set_prepaid, name="set_prepaid"),
    path("tiers", operate_tiers.tiers, name="tiers"),
    path("tiers/new", operate_tiers.new_tier, name="new_tier"),
    path("tiers/of/<path:name>", operate_tiers.tier, name="tier"),
    path("tiers/remove/<path:name>", operate_tiers.remove_tier, name="remove_tier"),
    path("operator-keys", operator_keys.operator_keys, name="operator_keys"),
    path("operator-keys/new", operator_keys.new_operator_key, name="new_operator_key"),
    path("operator-keys/<str:id>/revoke", operator_keys.revoke_operator_key, name="revoke_operator_key"),
    path("login", sign_in.SignIn.as_view(), name="account_login"),  # the name that allauth looks for
    path("login/passkey", sign_in.passkey_sign_in, name="passkey_sign_in"),
    path("login/passkey/options", sign_in.passkey_options, name="passkey_sign_in_options"),
    path("login/second-factor", sign_in.second_factor, name="mfa_authenticate"),  # allauth's name, too
    path("login/second-factor/options", sign_in.second_factor_options, name="second_factor_options"),
    path("login/sso", sso.begin, name="sso_sign_in"),
    path("login/sso/needed", sso.needed, name="sso_needed"),
    path("login/sso/<str:id>/callback", sso.openid_callback, name="sso_openid_callback"),
    path("login/sso/<str:id>/acs", sso.saml_answer, name="sso_saml_acs"),
    path("login/sso/<str:id>/answer/<str:token>", sso.saml_arrival, name="sso_saml_arrival"),
    path("login/sso/<str:id>/metadata", sso.saml_metadata, name="sso_saml_metadata"),
    path("login/cancel", sign_in.cancel_sign_in, name="cancel_sign_in"),
    path("reauthenticate", sign_in.reauthenticate, name="account_reauthenticate"),
    path("reauthenticate/options", sign_in.reauthenticate_options, name="reauthenticate_options"),
    path("forgotten", forgotten.forgotten, name="forgotten"),
    path("confirm-email/<str:token>", forgotten.confirm_email, name="confirm_email"),
    path("settings", settings.settings, name="settings"),
    path("settings/security", security.security, name="security"),
    path("settings/password", security.change_password, name="change_password"),
    path("settings/email", security.confirm_email, name="ask_to_confirm_email"),
    path("settings/second-factor", second_factors.needed, name="second_factor_needed"),
    path("settings/authenticator", second_factors.authenticator, name="authenticator"),
    path("settings/passkeys", second_factors.new_passkey, name="new_passkey"),
    path("settings/passkeys/options", second_factors.passkey_options, name="new_passkey_options"),
    path("settings/second-factors/<str:id>", security.remove_second_factor, name="remove_second_factor"),
    path("settings/recovery-codes", security.recovery_codes, name="recovery_codes"),
    path("settings/sessions/end", security.end_session, name="end_session"),
    path("settings/sessions/end-others", security.end_other_sessions, name="end_other_sessions"),
    path("settings/organization", organization_settings.organization, name="organization_settings"),
    path("settings/sso", sso_settings.connection, name="sso"),
    path("settings/sso/new/<str:kind>", sso_settings.new_connection, name="new_sso"),
    path("settings/sso/edit", sso_settings.edit_connection, name="edit_sso"),
    path("settings/sso/test", sso_settings.test_sign_in, name="test_sso"),
    path("settings/sso/turn", sso_settings.turn, name="turn_sso"),
    path("settings/sso/require", sso_settings.require, name="require_sso"),
    path("settings/sso/remove", sso_settings.remove, name="remove_sso"),
    path("settings/webhooks", webhooks.webhooks, name="webhooks"),
    path("settings/webhooks/new", webhooks.new_webhook, name="new_webhook"),
    path("settings/webhooks/<str:id>", webhooks.webhook, name="webhook"),
    path("settings/webhooks/<str:id>/test", webhooks.test_webhook, name="test_webhook"),
    path("settings/webhooks/<str:id>/secret", webhooks.new_secret, name="new_webhook_secret"),
    path("settings/webhooks/<str:id>/delete", webhooks.delete_webhook, name="delete_webhook"),
    path("logout", sign_in.sign_out, name="sign_out"),
    path("invites/<str:token>", invites.accept_invite, name="accept_invite"),
    path("reset/<str:token>", password_reset.reset_password, name="reset_password"),
    path("search", search.search, name="search"),
    path("ui", design.ui, name="ui"),
    path("theme", preferences.choose_theme, name="choose_theme"),
    path("time-zone", preferences.choose_time_zone, name="choose_time_zone"),
    path("shortcuts", preferences.choose_shortcuts, name="choose_shortcuts"),
    path("organization", preferences.choose_organization, name="choose_organization"),
]
