"""The account, read with the model that `apivideo` had of it without an operation for it.

Runs as a program of its own: `account.py BASE_URL API_KEY QUOTA_MINUTES`, empty without a quota.
"""

import sys

import apivideo.auth_api_client as auth
from apivideo.model.account import Account

base_url, api_key, minutes = sys.argv[1:]


def read() -> None:
    auth.HOST_ENVIRONMENT["production"] = base_url
    with auth.AuthenticatedApiClient(api_key) as client:
        account = client.call_api(
            "/account", "GET", response_type=(Account,), _return_http_data_only=True
        )
    assert account.environment == "production"
    assert "player.white_label" in account.features
    quota = account.quota
    assert quota.quota_used == 0
    if minutes:
        assert (quota.quota_remaining, quota.quota_total) == (float(minutes), float(minutes))
    else:
        assert (quota.get("quota_remaining"), quota.get("quota_total")) == (None, None)


read()
