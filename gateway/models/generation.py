"""A generation: one accepted request for images, from authorization to its end."""

from typing import Final

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.expressions import RawSQL

from core.ids import new_uuid
from gateway.models.process import Process

PROMPT_WORDS: Final = (
    "to_tsvector('simple', parameters ->> 'prompt')"
    " || array_to_tsvector(ARRAY[organization_id::text])"
)
"""What is searched for text: the words of the prompt as they are, and the organization."""
INPUTS: Final = "(parameters -> 'inputs')"
"""The images that were sent along, each with its `sha256`; a row without any has no such key."""


class Generation(models.Model):
    """One accepted request. Its id is the request's UUID and the second folder of its images.

    The row is the queue: workers claim `queued` rows; `worker` and `claim_token` are the claim, and
    every later write of the worker compares both. `plan` lists the routes to try, in order, each
    `{"queue", "provider", "upstream_model"}`; `queue` is the current route's, and names a provider
    or `sandbox`. `calls` is how many upstream calls the current route needs at once. `undelivered`
    lists the images a success is without, each `{"index", "outcome", "code"}`; it is set with the
    end. `connection_id` is the HTTP request that waits for the answer; a generation
    without an answer whose connection has closed may be adopted by a retry. `has_stray_objects`
    asks the sweeper to delete stored objects that no artifact names. `deleted_at` is when its
    images were deleted, and `is_expired` says that the organization's retention did it, not
    somebody. `quoted_list_micros` is the quote by the list price in USD, at the rate of its
    instant: what the attempts may cost us together; 0 if the list is in another currency and there
    was no rate, so that nothing is repeated once a call was lost. `partials` counts the partial
    images that are stored, over all attempts; 0 again once they are deleted. `created_by` is who
    asked for it in the console, without an API key; `batch_id` is what they asked for together, of
    several models. `traceparent` is the trace that its request began, for whoever works on it;
    empty if none.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELED = "canceled", "Canceled"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.PROTECT, db_index=False)
    api_key = models.ForeignKey("orgs.ApiKey", on_delete=models.PROTECT, null=True, db_index=False)
    created_by = models.ForeignKey(
        "orgs.User", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    batch_id = models.UUIDField(null=True)
    livemode = models.BooleanField()
    is_sandboxed = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)

    model = models.CharField(max_length=100)
    requested_model = models.CharField(max_length=100)
    parameters = models.JSONField()
    user = models.CharField(max_length=512, blank=True)
    client_request_id = models.CharField(max_length=512, blank=True)
    dropped_parameters = models.JSONField(default=list)
    fingerprint = models.BinaryField(max_length=32)

    currency = models.CharField(max_length=3)
    unit_micros = models.BigIntegerField()
    quoted_micros = models.BigIntegerField()
    quoted_list_micros = models.BigIntegerField()
    charged_micros = models.BigIntegerField(default=0)

    queue = models.CharField(max_length=20)
    plan = models.JSONField()
    route_index = models.PositiveSmallIntegerField(default=0)
    calls = models.PositiveSmallIntegerField(default=1, db_default=1)
    worker = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, related_name="claimed", db_index=False
    )
    claim_token = models.UUIDField(null=True)
    recoveries = models.PositiveSmallIntegerField(default=0)

    connection_id = models.UUIDField(null=True)
    connection_opened_at = models.DateTimeField(null=True)
    connection_closed_at = models.DateTimeField(null=True)
    web_process = models.ForeignKey(
        Process, on_delete=models.SET_NULL, null=True, related_name="serving", db_index=False
    )
    answered_at = models.DateTimeField(null=True)

    served_by = models.CharField(max_length=100, blank=True)
    image_adjusted = models.CharField(max_length=200, blank=True)
    usage = models.JSONField(null=True)
    undelivered = models.JSONField(default=list, db_default=[])
    partials = models.PositiveSmallIntegerField(default=0, db_default=0)
    error = models.JSONField(null=True)

    created_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    is_expired = models.BooleanField(default=False, db_default=False)
    has_stray_objects = models.BooleanField(default=False)
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["queued", "running", "succeeded", "failed", "canceled"]
                ),
                name="gateway_generation_status_valid",
            ),
            models.CheckConstraint(
                condition=(
                    models.Q(status__in=["queued", "running"], finished_at__isnull=True)
                    | models.Q(
                        status__in=["succeeded", "failed", "canceled"], finished_at__isnull=False
                    )
                ),
                name="gateway_generation_finished_iff_terminal",
            ),
            models.CheckConstraint(
                condition=~models.Q(status="running") | models.Q(claim_token__isnull=False),
                name="gateway_generation_running_is_claimed",
            ),
            models.CheckConstraint(
                condition=models.Q(charged_micros__gte=0)
                & models.Q(charged_micros__lte=models.F("quoted_micros")),
                name="gateway_generation_charge_within_quote",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "organization", "created_at"],
                condition=models.Q(status="queued"),
                name="gateway_generation_queue",
            ),
            models.Index(
                fields=["queue", "organization"],
                condition=models.Q(status="running"),
                name="gateway_generation_running",
            ),
            models.Index(
                fields=["deadline_at"],
                condition=models.Q(status__in=["queued", "running"]),
                name="gateway_generation_open",
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(has_stray_objects=True, finished_at__isnull=False),
                name="gateway_generation_stray",
            ),
            models.Index(
                fields=["finished_at"],
                condition=models.Q(partials__gt=0) & models.Q(finished_at__isnull=False),
                name="gateway_generation_partials",
            ),
            models.Index(
                fields=["api_key", "fingerprint", "created_at"],
                condition=models.Q(answered_at__isnull=True),
                name="gateway_generation_undelivered",
            ),
            # Lists, the request log and the gallery: a page is found in the index alone, with the
            # filters that have no index of their own.
            models.Index(
                fields=["organization", "-created_at", "-id"],
                include=[
                    "status",
                    "model",
                    "api_key",
                    "created_by",
                    "livemode",
                    "unit_micros",
                    "deleted_at",
                    "finished_at",
                    "charged_micros",
                ],
                name="gateway_generation_pages",
            ),
            # Words of prompts; the organization is one of them, so that a word that is frequent
            # elsewhere costs nothing. Without a pending list no insert pays for those before it.
            GinIndex(
                RawSQL(PROMPT_WORDS, []),  # noqa: S611 - a constant
                condition=models.Q(status="succeeded", deleted_at__isnull=True),
                fastupdate=False,
                name="gateway_generation_prompt",
            ),
            models.Index(
                fields=["batch_id"],
                condition=models.Q(batch_id__isnull=False),
                name="gateway_generation_batch",
            ),
            # What somebody asked for in the console, among all that API keys did.
            models.Index(
                fields=["organization", "created_by", "-created_at", "-id"],
                condition=models.Q(created_by__isnull=False),
                name="gateway_generation_by_person",
            ),
            # What was made of an image: edits name theirs by their digests.
            GinIndex(
                OpClass(RawSQL(INPUTS, []), name="jsonb_path_ops"),  # noqa: S611 - a constant
                condition=models.Q(parameters__has_key="inputs"),
                fastupdate=False,
                name="gateway_generation_inputs",
            ),
            # The list's filters: else a rare value is looked for in all rows of the organization.
            models.Index(
                fields=["organization", "model", "-created_at", "-id"],
                name="gateway_generation_by_model",
            ),
            models.Index(
                fields=["organization", "status", "-created_at", "-id"],
                condition=models.Q(status__in=["failed", "canceled"]),
                name="gateway_generation_by_status",
            ),
            models.Index(
                fields=["organization", "user", "-created_at", "-id"],
                condition=~models.Q(user=""),
                name="gateway_generation_by_user",
            ),
            models.Index(
                fields=["organization", "client_request_id", "-created_at", "-id"],
                condition=~models.Q(client_request_id=""),
                name="gateway_generation_by_client",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.model} {self.status}"

    @property
    def is_terminal(self) -> bool:
        """Return whether the generation has ended."""
        return self.finished_at is not None
