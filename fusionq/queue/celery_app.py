"""The Celery app: the fabric that carries short messages. It never decides what becomes of a job.

The settings below are the cure of measured traps of Celery on Redis with jobs that run for hours: early
acknowledgement and no prefetch, because the record in Redis and not the message is the truth.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from os import fsencode
from typing import Any
from urllib.parse import quote

from celery import Celery

from fusionq.queue.celery_transport import use_tolerant_channels
from fusionq.queue.names import SCHEDULE_QUEUE
from fusionq.spec.redis_url import DEFAULT_HOST, SOCKET, TLS, RedisUrl
from fusionq.store.connection import CONNECT_TIMEOUT_S, REPLY_TIMEOUT_S
from fusionq.store.keys import CELERY_PREFIX

RESULT_DAYS = 30

_TRANSPORT = {
    "global_keyprefix": CELERY_PREFIX,
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # How often a message is tried again before its sender hears of the outage; a worker tries for ever.
    "max_retries": 1,
    "interval_start": 0.2,
}


def make_app(redis_url: Callable[[], str], include: tuple[str, ...] = ()) -> Celery:
    """The app on the Redis that `redis_url()` names; it is asked when the app is first used."""
    use_tolerant_channels()
    app = Celery("fusionq", include=include, set_as_current=False)
    app.add_defaults(lambda: configuration(redis_url()))
    return app


def configuration(url: str) -> dict[str, Any]:
    """Celery's settings for a Redis URL (redis://, rediss:// or unix://)."""
    parts = RedisUrl.parse(url)
    connect_s = parts.connect_timeout_s or CONNECT_TIMEOUT_S
    reply_s = parts.reply_timeout_s or REPLY_TIMEOUT_S
    tls = _tls(parts)
    return {
        "broker_url": celery_url(url),
        "result_backend": celery_url(url),
        "broker_use_ssl": tls or False,
        "redis_backend_use_ssl": tls,
        "redis_client_name": parts.client_name or None,
        "broker_transport_options": {
            **_TRANSPORT,
            "socket_connect_timeout": connect_s,
            "socket_timeout": reply_s,
            **({"client_name": parts.client_name} if parts.client_name else {}),
        },
        "result_backend_transport_options": {
            "global_keyprefix": CELERY_PREFIX,
            "retry_policy": {"max_retries": 0},
        },
        "redis_socket_connect_timeout": connect_s,
        "redis_socket_timeout": reply_s,
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
    """The URL as Celery spells it, meaning the same Redis; how to speak TLS stands in the settings.

    A unix socket is `redis+socket:///path` there, and its password must stand before the path, or the broker
    overlooks it.
    """
    parts = RedisUrl.parse(url)
    if parts.scheme == SOCKET:
        database = f"?virtual_host={parts.db}" if parts.db else ""
        return f"redis+socket://{parts.address}{quote(fsencode(parts.path))}{database}"
    return f"{parts.scheme}://{parts.address or DEFAULT_HOST}/{parts.db}"


def control_channels(url: str) -> tuple[str, ...]:
    """Returns the channels on which Celery's workers listen at the database of this URL."""
    return (f"{CELERY_PREFIX}/{RedisUrl.parse(url).db}.celery.pidbox",)


def _tls(parts: RedisUrl) -> dict[str, Any] | None:
    """What `rediss://` means to both. Certificates are checked: unasked, the broker would not."""
    if parts.scheme != TLS:
        return None
    rule = ssl.VerifyMode[f"CERT_{parts.tls.get('ssl_cert_reqs', 'required').upper()}"]
    return {**parts.tls, "ssl_cert_reqs": rule}
