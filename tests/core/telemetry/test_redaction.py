import base64

import pytest

from core.telemetry import context
from core.telemetry.redaction import LONGEST, Redactor, secrets_of

PROMPT = 'a "red" fox\nunder a — moon, 100% / é'


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("key lz_sk_live_ab12CD34_efGH-5678 used", "efGH-5678"),
        ("Incorrect API key provided: sk-proj-Ab12_cdEF34-ghIJ56", "ghIJ56"),
        ("stripe sk_live_51HabcDEF1234567890", "51Habc"),
        ("google AIzaSyA-1234567890abcdefghijk_lmnop", "SyA-1234567890"),
        ("fal 3f2504e0-4f89-41d3-9a0c-0305e82c3301:0123456789abcdef0123", "0123456789abcdef"),
        ("header 'Authorization': 'Bearer abc.DEF-123'", "abc.DEF-123"),
        ('{"Authorization": "Key one:two"}', "one:two"),
        ("('x-goog-api-key', 'hush')", "hush"),
        ("x-key: hush-hush", "hush-hush"),
        ("Cookie: lienzo_session=abcdef", "abcdef"),
        ("cannot connect to postgres://lienzo:hunter2@db:5432/lienzo", "hunter2"),
        ("GET https://s3/bucket/a.png?X-Amz-Date=1&X-Amz-Signature=0a1b2c3d", "0a1b2c3d"),
        ("url https://blob/a.png?sv=2&sig=abc%2Fdef", "abc%2Fdef"),
        ("token eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM", "SflKxwRJSM"),
        ("b64 " + base64.b64encode(bytes(range(256))).decode(), "AAECAwQF"),
        ("bytes " + repr(b"\x89PNG\r\n\x1a\n" + bytes(range(128, 200))), "x8f"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
        (
            'null value in column "a"\nDETAIL:  Failing row contains (1, {"prompt": "hush"}, x).',
            "hush",
        ),
        ("the setting was correct-horse-battery", "correct-horse"),
        ("first,second-of-two", "second-of-two"),
    ],
)
def test_secrets_are_replaced(said: str, secret: str) -> None:
    redact = Redactor(
        secrets_of({"BFL_API_KEY": "correct-horse-battery", "WEBHOOK_KEYS": "ab,second-of-two"})
    )

    told = redact(said)

    assert secret in said
    assert secret not in told
    assert "[" in told


@pytest.mark.parametrize(
    "said",
    [
        "attempt.failed generation=30c8a0fe-6fd7-4a16-9496-e5a5134e1747 code=rate_limit",
        'File "lienzo/gateway/services/runs/calls.py", line 120, in make_images',
        "thumbnail.failed key=ab12cd34/0f0f0f0f/0.webp tries=2 error=HTTP 503",
        "connection to server at 127.0.0.1, port 5432 failed: Connection refused",
        "req_0123456789abcdef0123456789abcdef",
    ],
)
def test_what_helps_to_understand_is_kept(said: str) -> None:
    assert Redactor(["sandboxed-secret"])(said) == said


@pytest.mark.parametrize(
    "told",
    [
        f"Your prompt {PROMPT} was refused",
        f"ValueError({PROMPT!r})",
        'body {"prompt":"a \\"red\\" fox\\nunder a \\u2014 moon, 100% / \\u00e9"}',
        "GET /?prompt=a%20%22red%22%20fox%0Aunder%20a%20%E2%80%94%20moon%2C%20100%25%20/%20%C3%A9",
        'cut: a "red" fox\nunder a — m...',
    ],
)
def test_a_prompt_is_replaced_in_every_form(told: str) -> None:
    with context.working_on():
        context.conceal(PROMPT)
        redacted = Redactor()(told)

    assert "fox" not in redacted
    assert "[prompt]" in redacted
    assert Redactor()(told) == told


@pytest.mark.parametrize(
    ("prompt", "said", "told"),
    [
        ("cat", "Your prompt 'cat' was refused", "Your prompt [prompt] was refused"),
        ("cat", 'cannot categorize {"prompt":"cat"}', 'cannot categorize {"prompt":[prompt]}'),
        ("a", 'body "{\\"text\\": \\"a\\"}"', 'body "{\\"text\\": [prompt]}"'),
        (" a\n", "a refused: `a`", "a refused: [prompt]"),
        ("猫", "refused: 猫", "refused: [prompt]"),
    ],
)
def test_a_short_prompt_is_replaced_where_it_is_no_word_of_ours(prompt, said, told) -> None:
    with context.working_on():
        context.conceal(prompt)

        assert Redactor()(said) == told


def test_a_long_text_is_cut() -> None:
    assert len(Redactor()("a b " * LONGEST)) < LONGEST + 10
