"""What fits into the time left, from what was learned of the searches before."""

from service.traffic.deadline import Deadline, Pace, Plan

WANTED = Plan(beam_width=20, verified=10)


def learned() -> Pace:
    pace = Pace()
    pace.searched(20, 0.2)  # 10 ms a beam
    pace.judged(10, 0.1)  # 10 ms a candidate
    return pace


def test_without_a_deadline_nothing_is_left_out() -> None:
    assert learned().plan(WANTED, None) == WANTED
    assert learned().verified(10, None) == 10
    assert Deadline().left is None


def test_first_fewer_are_verified_then_fewer_beams_go_on() -> None:
    pace = learned()
    plans = [pace.plan(WANTED, seconds) for seconds in (1.0, 0.3, 0.25, 0.1, 0.0)]
    assert plans[0] == WANTED
    assert plans[1] == Plan(20, 5)
    assert plans[2] == Plan(20, 0)
    assert plans[3] == Plan(8, 0)
    assert plans[4] == Plan(4, 0)


def test_one_candidate_is_not_worth_judging() -> None:
    assert learned().verified(10, 0.013) == 0
    assert learned().verified(10, 0.025) == 2
    assert learned().verified(0, 5.0) == 0


def test_before_anything_was_learned_everything_is_tried() -> None:
    assert Pace().plan(WANTED, 0.5) == WANTED


def test_learns_from_the_newest() -> None:
    pace = learned()
    for _ in range(100):
        pace.searched(20, 2.0)
    assert pace.plan(WANTED, 1.0).beam_width == 8


def test_a_deadline_passes() -> None:
    deadline = Deadline(0.0)
    assert deadline.left == 0.0


def test_a_request_has_its_own_deadline_or_the_usual_one() -> None:
    own, usual = Deadline.of_request(5_000, 1_000), Deadline.of_request(None, 60_000)
    assert own.left is not None
    assert 1.0 < own.left <= 5.0
    assert own.by_client
    assert usual.left is not None
    assert usual.left > 5.0
    assert not usual.by_client
    assert Deadline.of_request(None, 0).left is None
