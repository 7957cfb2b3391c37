from billing.selectors.holds import first_open_holds


def test_what_is_not_shown_is_summed_up(scene):
    scene.top_up(1_000_000_000)
    held = [scene.authorize() for _ in range(3)]

    two = first_open_holds(organization_id=scene.organization_id, most=2)
    all_of_them = first_open_holds(organization_id=scene.organization_id, most=3)

    assert (len(two.holds), two.more, two.more_micros) == (2, 1, held[0].amount_micros)
    assert (len(all_of_them.holds), all_of_them.more, all_of_them.more_micros) == (3, 0, 0)
