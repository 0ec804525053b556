"""A Redis URL means the same to all who connect, or is refused before anything is stored."""

from __future__ import annotations

import os

import pytest

from fusionq.errors import UsageError
from fusionq.spec.redis_url import RedisUrl, socket_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://host", RedisUrl("redis", "host")),
        ("redis://host:1/2", RedisUrl("redis", "host", 1, db=2)),
        ("redis://host/?db=3", RedisUrl("redis", "host", db=3)),
        ("redis://host/1?db=3", RedisUrl("redis", "host", db=3)),
        ("redis://me:p%40ss@host", RedisUrl("redis", "host", username="me", password="p@ss")),
        (
            "redis://host?username=me&password=p%40ss",
            RedisUrl("redis", "host", username="me", password="p@ss"),
        ),
        ("redis://host?password=one&password=two", RedisUrl("redis", "host", password="one")),
        ("redis://host?socket_timeout=3", RedisUrl("redis", "host", reply_timeout_s=3)),
        ("redis://host?max_connections=1&protocol=3&retry_on_timeout=yes", RedisUrl("redis", "host")),
        ("unix:///run/my%20redis.sock?db=1", RedisUrl("unix", path="/run/my redis.sock", db=1)),
        (
            "rediss://host?ssl_cert_reqs=CERT_NONE&ssl_check_hostname=False",
            RedisUrl("rediss", "host", tls={"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
        ),
    ],
)
def test_it_is_read_as_redis_py_reads_it(text: str, expected: RedisUrl):
    assert RedisUrl.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("redis://:secret@host/abc", "db=abc: a database is a number from 0 on"),
        ("redis://host?db=-1", "db=-1: a database is a number from 0 on"),
        (
            "redis://host?socket_timeout=1",
            "socket_timeout=1: fusionq waits up to 2 s for news; say 3 or more",
        ),
        ("redis://host?socket_timeout=soon", "socket_timeout=soon: it is a number of seconds"),
        ("redis://host?ssl_ca_certs=/ca.pem", "ssl_ca_certs needs rediss://"),
        ("rediss://host?ssl_cert_reqs=maybe", "ssl_cert_reqs=maybe: it is none, optional or required"),
    ],
)
def test_a_part_that_cannot_be_is_named_and_no_password_is_shown(text: str, what: str):
    with pytest.raises(UsageError) as caught:
        RedisUrl.parse(text)
    assert str(caught.value) == f"the Redis URL {text.replace('secret', '***')!r}: {what}"


def test_what_is_no_option_may_be_a_password():
    with pytest.raises(UsageError) as caught:
        RedisUrl.parse("redis://host?pasword=secret")
    assert str(caught.value) == (
        "the Redis URL 'redis://host': pasword is no option of it; did you mean 'password'?"
    )


@pytest.mark.parametrize("password", ["12/34", "12#34", "12?34", "12?3=4#5"])
def test_a_password_that_cuts_the_url_off_is_refused_unseen(password: str):
    with pytest.raises(UsageError, match="/ is written as %2F") as caught:
        RedisUrl.parse(f"redis://:{password}@host/1")
    assert "34" not in str(caught.value)


@pytest.mark.parametrize("path", ["/run/a#b?c%41 d/redis.sock", os.fsdecode(b"/run/\xff.sock")])
def test_a_socket_may_have_any_path(path: str):
    assert RedisUrl.parse(socket_url(path)).path == path


def test_a_socket_needs_a_path():
    with pytest.raises(UsageError, match="is not a Redis URL"):
        RedisUrl.parse("unix://")
