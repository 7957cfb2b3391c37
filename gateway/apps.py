from django.apps import AppConfig

from gateway.catalog.check import require_sound


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        """Let no process start with a model that cannot be drawn, or that sells at a loss.

        Raises:
            CatalogError: The catalog has one.
        """
        require_sound()
