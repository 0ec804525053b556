"""What is fusionq's own is not inherited by jobs."""

from __future__ import annotations

from fusionq.worker.inherited_environment import inherited


def test_jobs_see_neither_the_address_of_redis_nor_those_that_are_notified():
    kept = {
        "PATH": "/bin",
        "FUSIONQ_HOME": "/home",
        "FUSIONQ_DATA": "/data",
        "HTTP_PROXY": "http://ada:x@proxy:3128",
        "BAD": "http://[",
    }
    withheld = {
        "FUSIONQ_REDIS_URL": "redis://:hunter2@box",
        "FUSIONQ_REDIS_PASSWORD_FILE": "/secret",
        "FUSIONQ_WORKER_NAME": "w",
        "FUSIONQ_NOTIFY_TEAM": "https://box/hook",
        "SLACK_URL": "https://hooks.slack.com/services/a/b/c",
        "TESTERS_URL": "https://canary.discord.com/api/webhooks/1/a",
        "MAIL": "mailtos://ada:x@example.org",
    }
    assert inherited({**kept, **withheld}) == kept
