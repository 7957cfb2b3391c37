"""The database's own guard of an organization's last owner, whatever program ends or demotes one."""

from django.db import migrations

# The organization's row is locked before owners are counted, so that two who end each other's
# ownership at once do not both succeed: the second counts what the first has left.
GUARD = """
CREATE FUNCTION orgs_keep_owner() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_purged boolean;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.role = 'owner' AND NEW.organization_id = OLD.organization_id THEN
        RETURN NULL;
    END IF;
    SELECT purged_at IS NOT NULL INTO is_purged FROM orgs_organization
    WHERE id = OLD.organization_id FOR NO KEY UPDATE;
    IF FOUND AND NOT is_purged AND NOT EXISTS (
        SELECT FROM orgs_membership
        WHERE organization_id = OLD.organization_id AND role = 'owner'
    ) THEN
        RAISE EXCEPTION 'organization % would be left without an owner', OLD.organization_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orgs_membership_owner_kept';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER orgs_membership_owner_kept
    AFTER UPDATE OR DELETE ON orgs_membership FOR EACH ROW WHEN (OLD.role = 'owner')
    EXECUTE FUNCTION orgs_keep_owner();
"""
GUARD_REVERSE = """
DROP TRIGGER orgs_membership_owner_kept ON orgs_membership;
DROP FUNCTION orgs_keep_owner();
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0007_invitations_and_mail")]

    operations = [migrations.RunSQL(GUARD, GUARD_REVERSE)]
