"""`/v1/usage`: what was charged, in buckets, as JSON or CSV."""

import csv
import io
from collections.abc import Iterable, Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.money import format_amount
from core.clock import now
from core.spreadsheets import plain_cell
from gateway.api.answers import dropped_header
from gateway.api.authentication import caller_of, django_request
from gateway.parameters.queries import read_query
from gateway.parameters.usage import GROUPS, PARAMETERS, UsageRequest, parse_usage
from gateway.selectors.usage import MOST_ROWS, UsageRow, usage
from orgs.services.api_keys import Caller

COLUMNS = ("start_time", "end_time", *GROUPS, "images", "requests", "amount", "currency")


class UsageView(APIView):
    """`/v1/usage`."""

    def get(self, request: Request) -> HttpResponseBase:
        """Return a page of buckets with what was charged in each."""
        caller = caller_of(request, scope="billing:read")
        return _usage(django_request(request), caller)


def _usage(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    query, ignored = read_query(_with_lists_joined(request), PARAMETERS)
    asked = parse_usage(query, time_zone=caller.time_zone, now=now())
    rows = (
        usage(
            organization_id=caller.organization_id,
            zone=caller.time_zone,
            period=(asked.since, asked.until),
            bounds=[asked.buckets[0].start, *(bucket.end for bucket in asked.buckets)],
            group_by=asked.group_by,
        )
        if asked.buckets
        else []
    )
    headers = dropped_header(ignored)
    if len(rows) >= MOST_ROWS:
        asked = asked.first_buckets(rows[-1].bucket + 1)
    if asked.is_csv:
        return _csv(asked, rows, headers)
    page = {
        "object": "page",
        "data": _buckets(asked, rows),
        "has_more": asked.next_page is not None,
        "next_page": asked.next_page,
    }
    return Response(page, headers=headers)


def _with_lists_joined(request: HttpRequest) -> Iterator[tuple[str, list[str]]]:
    """Yield the parameters; `group_by` may also be sent several times, or as `group_by[]`."""
    groups: list[str] = []
    for name, values in request.GET.lists():
        if name.removesuffix("[]") == "group_by":
            groups += values
        else:
            yield name, values
    if groups:
        yield "group_by", [",".join(groups)]


def _buckets(asked: UsageRequest, rows: Iterable[UsageRow]) -> list[dict[str, object]]:
    results: list[list[dict[str, object]]] = [[] for _ in asked.buckets]
    for row in rows:
        results[row.bucket].append({"object": "usage.result", **_result(row)})
    return [
        {
            "object": "bucket",
            "start_time": int(bucket.start.timestamp()),
            "end_time": int(bucket.end.timestamp()),
            "results": found,
        }
        for bucket, found in zip(asked.buckets, results, strict=True)
    ]


def _result(row: UsageRow) -> dict[str, object]:
    return {
        "model": row.model,
        "api_key_id": row.api_key_id,
        "user": row.user,
        "images": row.images,
        "requests": row.requests,
        "amount": format_amount(row.amount_micros, row.currency),
        "currency": row.currency,
    }


def _csv(
    asked: UsageRequest, rows: Iterable[UsageRow], headers: dict[str, str]
) -> HttpResponseBase:
    """Return the results as lines; the next page is in a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        bucket = asked.buckets[row.bucket]
        times = {
            "start_time": int(bucket.start.timestamp()),
            "end_time": int(bucket.end.timestamp()),
        }
        writer.writerow(
            {**times, **{name: plain_cell(value) for name, value in _result(row).items()}}
        )
    if asked.next_page is not None:
        headers = {**headers, "X-Next-Page": asked.next_page}
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={**headers, "Content-Disposition": 'attachment; filename="usage.csv"'},
    )
