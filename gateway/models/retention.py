"""How far an organization's retention has come."""

from django.db import models


class Retention(models.Model):
    """Until where an organization's generations were looked through, by when they were created.

    What is older has no image, or no prompt, that is still to be deleted, so that no run begins at
    the organization's first generation. Null where nothing was deleted yet.
    """

    organization = models.OneToOneField(
        "orgs.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    images_until = models.DateTimeField(null=True)
    prompts_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.organization_id)
