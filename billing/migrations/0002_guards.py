"""The database's own guards of the ledger: they hold whatever program writes to it."""

from django.db import migrations

JOURNAL = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are immutable', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER billing_journalentry_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_journalentry
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_posting_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_posting
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_priceversion_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_priceversion
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_markup_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_markup
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_fxrate_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_fxrate
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_account_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON billing_account
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER billing_balance_kept
    BEFORE DELETE OR TRUNCATE ON billing_balance
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();

-- An entry is whole at commit: it has exactly the lines it says, and balances in every currency.
CREATE FUNCTION billing_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_lines bigint;
    unbalanced text;
BEGIN
    SELECT coalesce(sum(lines), 0), string_agg(currency, ', ') FILTER (WHERE difference <> 0)
    INTO found_lines, unbalanced
    FROM (
        SELECT currency, count(*) AS lines,
            sum(CASE direction WHEN 'debit' THEN amount_micros ELSE -amount_micros END)
                AS difference
        FROM billing_posting WHERE entry_id = NEW.id GROUP BY currency
    ) AS sums;
    IF found_lines <> NEW.lines THEN
        RAISE EXCEPTION 'journal entry % has % postings, not %', NEW.id, found_lines, NEW.lines
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_entry_whole';
    END IF;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % does not balance in %', NEW.id, unbalanced
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_entry_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER billing_entry_whole
    AFTER INSERT ON billing_journalentry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing_check_entry();

-- A posting belongs to an entry with room for its line. Lines are unique within an entry, and an
-- entry has all of them at commit, so nothing can be added to it by a later transaction.
CREATE FUNCTION billing_check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT p.entry_id, p.line INTO bad
    FROM added AS p
    LEFT JOIN billing_journalentry AS e ON e.id = p.entry_id
    LEFT JOIN billing_account AS a ON a.id = p.account_id
    WHERE e.id IS NULL OR a.id IS NULL OR p.line < 1 OR p.line > e.lines
        OR p.currency <> a.currency OR (a.organization_id IS NULL) <> (p.chain_seq IS NULL)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % of entry % does not fit its entry or account',
            bad.line, bad.entry_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_posting_fits';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER billing_posting_fits
    AFTER INSERT ON billing_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_check_postings();
"""

JOURNAL_REVERSE = """
DROP TRIGGER billing_posting_fits ON billing_posting;
DROP FUNCTION billing_check_postings();
DROP TRIGGER billing_entry_whole ON billing_journalentry;
DROP FUNCTION billing_check_entry();
DROP TRIGGER billing_balance_kept ON billing_balance;
DROP TRIGGER billing_account_immutable ON billing_account;
DROP TRIGGER billing_fxrate_immutable ON billing_fxrate;
DROP TRIGGER billing_markup_immutable ON billing_markup;
DROP TRIGGER billing_priceversion_immutable ON billing_priceversion;
DROP TRIGGER billing_posting_immutable ON billing_posting;
DROP TRIGGER billing_journalentry_immutable ON billing_journalentry;
DROP FUNCTION billing_refuse_change();
"""

# Only the outcome of a hold may change, once, while it is authorized.
HOLD = """
CREATE FUNCTION billing_check_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    terms billing_hold := NEW;
BEGIN
    terms.status := OLD.status;
    terms.captured_micros := OLD.captured_micros;
    terms.captured_count := OLD.captured_count;
    terms.closed_at := OLD.closed_at;
    terms.digest := OLD.digest;
    IF OLD.status <> 'authorized' OR terms IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'hold % cannot change: it is %, and its terms are fixed',
            OLD.id, OLD.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'billing_hold_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER billing_hold_final
    BEFORE UPDATE ON billing_hold FOR EACH ROW EXECUTE FUNCTION billing_check_hold();
CREATE TRIGGER billing_hold_kept
    BEFORE DELETE OR TRUNCATE ON billing_hold
    FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();
"""

HOLD_REVERSE = """
DROP TRIGGER billing_hold_kept ON billing_hold;
DROP TRIGGER billing_hold_final ON billing_hold;
DROP FUNCTION billing_check_hold();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunSQL(JOURNAL, JOURNAL_REVERSE),
        migrations.RunSQL(HOLD, HOLD_REVERSE),
    ]
