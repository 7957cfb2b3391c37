from django.urls import URLPattern, URLResolver, include, path

from gateway.console.currency_settings import CurrencySettingsView
from gateway.console.gallery.exports import ExportFileView, ExportsView, ExportView, InboxView
from gateway.console.gallery.grid import GalleryImageView, GalleryThumbnailsView, GalleryView
from gateway.console.gallery.images import ImageView, ThumbnailView
from gateway.console.gallery.lineage import LineageView
from gateway.console.gallery.selection import DeleteImagesView, EditImagesView
from gateway.console.home import FirstStepsView, HomeView
from gateway.console.keys import (
    EditKeyView,
    KeysView,
    NewKeyView,
    RevokeKeyView,
    RotateKeyView,
)
from gateway.console.model_settings import ModelSettingsView
from gateway.console.playground.edits import PlaygroundEditView
from gateway.console.playground.page import (
    PlaygroundHistoryView,
    PlaygroundPreviewView,
    PlaygroundView,
)
from gateway.console.playground.results import PartialImageView, PlaygroundResultView
from gateway.console.requests.detail import RequestDetailView
from gateway.console.requests.log import (
    RequestColumnsView,
    RequestsCsvView,
    RequestsView,
    RequestView,
    RunAgainView,
    SearchView,
)
from gateway.console.requests.making import MakingView
from gateway.console.settings.images import ImageSettingsView
from gateway.console.start import NewOrganizationView
from gateway.console.usage import UsageCsvView, UsageView
from gateway.console.usage_charges import ChargesView

ORGANIZATION = "o/<uuid:organization_id>"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("gateway.console.finance.urls")),
    path("", include("gateway.console.operations.platform_urls")),
    path("", include("gateway.console.operations.urls")),
    path("organizations/new", NewOrganizationView.as_view(), name="new_organization"),
    path(ORGANIZATION, HomeView.as_view(), name="home"),
    path(f"{ORGANIZATION}/start", FirstStepsView.as_view(), name="first_steps"),
    path(
        f"{ORGANIZATION}/settings/currency",
        CurrencySettingsView.as_view(),
        name="currency_settings",
    ),
    path(f"{ORGANIZATION}/usage", UsageView.as_view(), name="usage"),
    path(f"{ORGANIZATION}/usage/csv", UsageCsvView.as_view(), name="usage_csv"),
    path(f"{ORGANIZATION}/usage/charges", ChargesView.as_view(), name="charges"),
    path(
        f"{ORGANIZATION}/billing/requests/<uuid:generation_id>/making",
        MakingView.as_view(),
        name="making",
    ),
    path(f"{ORGANIZATION}/playground", PlaygroundView.as_view(), name="playground"),
    path(
        f"{ORGANIZATION}/playground/preview",
        PlaygroundPreviewView.as_view(),
        name="playground_preview",
    ),
    path(
        f"{ORGANIZATION}/playground/edits",
        PlaygroundEditView.as_view(),
        name="playground_edit",
    ),
    path(
        f"{ORGANIZATION}/playground/history",
        PlaygroundHistoryView.as_view(),
        name="playground_history",
    ),
    path(
        f"{ORGANIZATION}/playground/<uuid:generation_id>",
        PlaygroundResultView.as_view(),
        name="playground_result",
    ),
    path(
        f"{ORGANIZATION}/playground/<uuid:generation_id>/partials/<int:index>",
        PartialImageView.as_view(),
        name="partial_image",
    ),
    path(f"{ORGANIZATION}/gallery", GalleryView.as_view(), name="gallery"),
    path(
        f"{ORGANIZATION}/gallery/thumbnails",
        GalleryThumbnailsView.as_view(),
        name="gallery_thumbnails",
    ),
    path(f"{ORGANIZATION}/gallery/delete", DeleteImagesView.as_view(), name="delete_images"),
    path(f"{ORGANIZATION}/gallery/edit", EditImagesView.as_view(), name="edit_images"),
    path(f"{ORGANIZATION}/inbox", InboxView.as_view(), name="inbox_slot"),
    path(f"{ORGANIZATION}/gallery/exports", ExportsView.as_view(), name="exports"),
    path(f"{ORGANIZATION}/gallery/exports/<uuid:export_id>", ExportView.as_view(), name="export"),
    path(
        f"{ORGANIZATION}/gallery/exports/<uuid:export_id>/file",
        ExportFileView.as_view(),
        name="export_file",
    ),
    path(
        f"{ORGANIZATION}/gallery/<uuid:generation_id>/<int:index>",
        GalleryImageView.as_view(),
        name="gallery_image",
    ),
    path(
        f"{ORGANIZATION}/gallery/<uuid:generation_id>/lineage",
        LineageView.as_view(),
        name="lineage",
    ),
    path(f"{ORGANIZATION}/search", SearchView.as_view(), name="search"),
    path(f"{ORGANIZATION}/requests", RequestsView.as_view(), name="requests"),
    path(f"{ORGANIZATION}/requests/csv", RequestsCsvView.as_view(), name="requests_csv"),
    path(f"{ORGANIZATION}/requests/<uuid:generation_id>", RequestView.as_view(), name="request"),
    path(
        f"{ORGANIZATION}/requests/<uuid:generation_id>/again",
        RunAgainView.as_view(),
        name="run_again",
    ),
    path(f"{ORGANIZATION}/requests/columns", RequestColumnsView.as_view(), name="requests_columns"),
    path(
        f"{ORGANIZATION}/requests/<uuid:generation_id>/detail",
        RequestDetailView.as_view(),
        name="request_detail",
    ),
    path(
        f"{ORGANIZATION}/images/<uuid:generation_id>/<int:index>",
        ImageView.as_view(),
        name="image",
    ),
    path(
        f"{ORGANIZATION}/thumbnails/<uuid:artifact_id>/<int:edge>",
        ThumbnailView.as_view(),
        name="thumbnail",
    ),
    path(f"{ORGANIZATION}/settings/images", ImageSettingsView.as_view(), name="image_settings"),
    path(f"{ORGANIZATION}/settings/models", ModelSettingsView.as_view(), name="model_settings"),
    path(f"{ORGANIZATION}/keys", KeysView.as_view(), name="api_keys"),
    path(f"{ORGANIZATION}/keys/new", NewKeyView.as_view(), name="new_api_key"),
    path(f"{ORGANIZATION}/keys/<uuid:api_key_id>", KeysView.as_view(), name="api_key"),
    path(f"{ORGANIZATION}/keys/<uuid:api_key_id>/edit", EditKeyView.as_view(), name="edit_api_key"),
    path(
        f"{ORGANIZATION}/keys/<uuid:api_key_id>/rotate",
        RotateKeyView.as_view(),
        name="rotate_api_key",
    ),
    path(
        f"{ORGANIZATION}/keys/<uuid:api_key_id>/revoke",
        RevokeKeyView.as_view(),
        name="revoke_api_key",
    ),
]
