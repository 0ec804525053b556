"""The Celery app: the fabric that carries short messages. It never decides what becomes of a job.

The settings below are the cure of measured traps of Celery on Redis with jobs that run for hours: early
acknowledgement and no prefetch, because the record in Redis and not the message is the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from celery import Celery
from kombu.transport.redis import Channel

from fusionq.queue.names import SCHEDULE_QUEUE
from fusionq.store.connection import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S
from fusionq.store.keys import CELERY_PREFIX

RESULT_DAYS = 30

_TRANSPORT = {
    "global_keyprefix": CELERY_PREFIX,
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": CONNECT_TIMEOUT_S,
    "socket_timeout": REPLY_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # How often a message is tried again before its sender hears of the outage; a worker tries for ever.
    "max_retries": 1,
    "interval_start": 0.2,
}


def make_app(redis_url: Callable[[], str], include: tuple[str, ...] = ()) -> Celery:
    """The app on the Redis that `redis_url()` names; it is asked when the app is first used."""
    # When Redis goes away, kombu puts unacknowledged messages back over a connection that is closed already,
    # and the error of that ends the worker. We need none back: the records say what is to be done.
    Channel.do_restore = False
    app = Celery("fusionq", include=include, set_as_current=False)
    app.add_defaults(lambda: configuration(redis_url()))
    return app


def configuration(url: str) -> dict[str, Any]:
    """Celery's settings for a Redis URL (redis://, rediss:// or unix://)."""
    return {
        "broker_url": celery_url(url),
        "result_backend": celery_url(url),
        "broker_transport_options": _TRANSPORT,
        "result_backend_transport_options": {
            "global_keyprefix": CELERY_PREFIX,
            "retry_policy": {"max_retries": 0},
        },
        "redis_socket_connect_timeout": CONNECT_TIMEOUT_S,
        "redis_socket_timeout": REPLY_TIMEOUT_S,
        "result_expires": RESULT_DAYS * 86_400,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": SCHEDULE_QUEUE,
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "task_publish_retry": False,
        "task_ignore_result": True,
        "worker_pool": "threads",
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": True,  # Flower sees every job, from its first moment
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,  # or a full Redis would end the worker
    }


def celery_url(url: str) -> str:
    """The URL as Celery spells it, meaning the same Redis.

    A unix socket is `redis+socket:///path` there, and its password must stand before the path, or the broker
    overlooks it. `rediss://` checks certificates; unasked, the broker would not and the results would refuse.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        return urlunsplit(parts._replace(query=urlencode({"ssl_cert_reqs": "required", **query})))
    if parts.scheme != "unix":
        return url
    user, password = query.pop("username", ""), query.pop("password", "")
    before = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else parts.netloc
    if "db" in query:
        query["virtual_host"] = query.pop("db")
    return f"redis+socket://{before}{parts.path}" + (f"?{urlencode(query)}" if query else "")
