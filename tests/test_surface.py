"""What stands where: pages, groups, order, and what a browser is told of it."""

from bridge.control import Control
from bridge.surface import Group, Item, Page, PageSetting, Placement, Surface, build_surface, with_learnt


def placed(path: str, *pages: str, group: str = "", order: float = 0, **control: object) -> Placement:
    return Placement(Control(path=path, **control), pages or None, group, order)  # type: ignore[arg-type]


def paths(page: Page) -> list[list[str]]:
    return [[item.path for item in group.items] for group in page.groups]


def test_without_pages_everything_stands_on_main() -> None:
    surface = build_surface("t", [], [placed("/a"), placed("/b")])
    assert surface.to_wire() == {
        "title": "t",
        "pages": [
            {"name": "Main", "layout": "grid", "groups": [{"name": "", "items": [{"path": "/a"}, {"path": "/b"}]}]}
        ],
    }


def test_without_controls_there_is_no_page() -> None:
    assert build_surface("t", [], []) == Surface("t", ())
    assert build_surface("t", [], [Placement(Control(path="/a"), pages=())]) == Surface("t", ())


def test_a_control_without_page_goes_to_the_first_and_one_with_an_empty_list_to_none() -> None:
    surface = build_surface(
        "t", [PageSetting("A"), PageSetting("B")], [placed("/b", "B"), placed("/a"), Placement(Control(path="/no"), ())]
    )
    assert [(page.name, paths(page)) for page in surface.pages] == [("A", [["/a"]]), ("B", [["/b"]])]


def test_a_control_may_stand_on_several_pages_and_a_new_name_makes_its_page_after_the_others() -> None:
    surface = build_surface("t", [PageSetting("A", "rows")], [placed("/x", "New", "A")])
    assert [(page.name, page.layout, paths(page)) for page in surface.pages] == [
        ("A", "rows", [["/x"]]),
        ("New", "grid", [["/x"]]),
    ]


def test_groups_stand_where_their_first_control_stands() -> None:
    surface = build_surface(
        "t", [], [placed("/1", group="a"), placed("/2", group="b"), placed("/3", group="a"), placed("/4")]
    )
    assert [(group.name, len(group.items)) for group in surface.pages[0].groups] == [("a", 2), ("b", 1), ("", 1)]


def test_order_comes_before_the_order_of_the_file() -> None:
    surface = build_surface("t", [], [placed("/1"), placed("/2", order=1), placed("/3", order=-1), placed("/4")])
    assert paths(surface.pages[0]) == [["/3", "/1", "/4", "/2"]]


def test_in_strips_a_control_without_group_is_a_strip_of_its_own() -> None:
    surface = build_surface(
        "t",
        [PageSetting("A", "strips")],
        [placed("/1"), placed("/2", group="g"), placed("/3"), placed("/4", group="g")],
    )
    assert paths(surface.pages[0]) == [["/1"], ["/2", "/4"], ["/3"]]


def test_a_group_has_the_colour_that_all_of_its_controls_share() -> None:
    shared = [placed("/1", group="g", color="#f00"), placed("/2", group="g", color="#ff0000")]
    (group,) = build_surface("t", [], shared).pages[0].groups
    assert group.color == "#ff0000"
    (group,) = build_surface("t", [], [*shared, placed("/3", group="g")]).pages[0].groups
    assert group.color is None


def test_the_wire_leaves_out_what_says_nothing() -> None:
    placements = [
        Placement(Control(path="/a", widget="knob"), span=(2, 3), size="l"),
        Placement(Control(path="/b", widget="fader"), span=(1, 1)),
        Placement(Control(path="/c", kind="bool", widget="button")),
    ]
    assert build_surface("t", [PageSetting("P", "grid", 4)], placements).to_wire()["pages"] == [
        {
            "name": "P",
            "layout": "grid",
            "columns": 4,
            "groups": [
                {
                    "name": "",
                    "items": [
                        {"path": "/a", "widget": "knob", "span": [2, 3], "size": "l"},
                        {"path": "/b", "span": [1, 1]},
                        {"path": "/c", "widget": "button"},
                    ],
                }
            ],
        }
    ]


def test_surfaces_are_compared_by_what_they_show() -> None:
    make = [PageSetting("A")], [placed("/a", group="g")]
    assert build_surface("t", *make) == build_surface("t", *make)
    assert build_surface("t", *make).pages[0].groups == (Group("g", (Item("/a"),)),)


def test_learnt_controls_stand_on_a_page_of_their_own_by_what_is_before_their_names() -> None:
    configured = build_surface("t", [PageSetting("A")], [placed("/a")])
    assert with_learnt(configured, []) is configured
    surface = with_learnt(configured, [Control(path=path) for path in ("/1/x", "/top", "/1/y", "/2/z")])
    assert [(page.name, paths(page)) for page in surface.pages] == [
        ("A", [["/a"]]),
        ("Learnt", [["/1/x", "/1/y"], ["/top"], ["/2/z"]]),
    ]
    assert [group.name for group in surface.pages[1].groups] == ["1", "", "2"]


def test_what_was_learnt_and_written_down_leaves_the_others_their_main_page() -> None:
    surface = build_surface("t", [], [placed("/new", "Learnt"), placed("/a")])
    assert [(page.name, paths(page)) for page in surface.pages] == [("Main", [["/a"]]), ("Learnt", [["/new"]])]
    asked = build_surface("t", [PageSetting("Learnt")], [placed("/new", "Learnt"), placed("/a")])
    assert [(page.name, paths(page)) for page in asked.pages] == [("Learnt", [["/new", "/a"]])]


def test_learnt_controls_join_a_page_of_that_name() -> None:
    configured = build_surface("t", [], [placed("/a", "Learnt"), placed("/b", "B")])
    surface = with_learnt(configured, [Control(path="/1/x")])
    assert [(page.name, paths(page)) for page in surface.pages] == [("Learnt", [["/a"], ["/1/x"]]), ("B", [["/b"]])]
