import numpy as np

from hiera_cli.synth.actors import ACTIONS, boxes_of, masks_of, stage_play, visible
from hiera_cli.synth.figure import SIZE, Clothes, Pose, paint
from hiera_cli.synth.props import Props
from hiera_cli.synth.staging import Shot

CLOTHES = Clothes((1, 0, 0), (0, 1, 0), (0, 0, 1), 1.0)


def plays(num, shot):
    props = Props(np.random.default_rng(0))
    return [stage_play(np.random.default_rng((1, k)), props, shot) for k in range(num)]


def test_a_figure_stands_upright_with_its_head_above():
    picture = paint(Pose(), CLOTHES)
    assert picture.shape == (4, SIZE, SIZE)
    rows = np.flatnonzero((picture[3] > 0.5).any(1))
    assert (rows[0], rows[-1]) == (8, 91)
    red, blue = (np.flatnonzero((picture[c] > 0.9).any(1)).mean() for c in (0, 2))
    assert red < SIZE / 2 < blue


def test_an_arm_goes_where_it_is_put():
    down, up = paint(Pose(), CLOTHES), paint(Pose(right_arm=2.5), CLOTHES)
    corner = np.s_[0, 8:30, 60:80]
    assert up[corner].max() > 0.9 > down[corner].max()


def test_walkers_go_where_their_action_says_relative_to_the_world():
    for play in plays(12, Shot(30, 15, 80, 60)):
        for actor in play.actors:
            travel = float(actor.layer.x[-1] - actor.layer.x[0])
            name = ACTIONS[actor.action]
            expected = {"walk left": -1, "walk right": 1}.get(name, 0)
            assert np.sign(travel) == expected


def test_boxes_hold_the_figure_alone():
    shot = Shot(8, 4, 80, 60)
    play = plays(1, shot)[0]
    boxes = boxes_of(masks_of(play, play.actors[0], shot), shot)
    assert boxes.shape == (8, 4)
    seen = boxes[np.isfinite(boxes[:, 0])]
    assert len(seen) > 0
    assert (seen >= 0).all()
    assert (seen[:, 2] <= 80).all()
    assert (seen[:, 3] <= 60).all()


def test_whoever_stands_before_others_hides_them():
    back, front = np.zeros((1, 2, 3), bool), np.zeros((1, 2, 3), bool)
    back[0, :, :2] = front[0, 0, 1:] = True
    hidden, seen = visible([back, front])
    assert hidden[0].tolist() == [[True, False, False], [True, True, False]]
    assert seen is not front
    assert (seen == front).all()


def test_all_actions_are_played():
    found = {actor.action for play in plays(20, Shot(2, 4, 80, 60)) for actor in play.actors}
    assert found == set(range(len(ACTIONS)))
