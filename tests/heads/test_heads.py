import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hiera_cli.heads.heads import LinearSetting, NeighbourSetting, fit_head, score_videos
from tests.heads.examples import clouds


@pytest.mark.parametrize("balanced", [False, True])
def test_means_of_videos_give_what_scikit_learn_gives(balanced: bool) -> None:
    examples, others = clouds(), clouds(seed=0, spread=2.5)
    reference = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.7, class_weight="balanced" if balanced else None, tol=1e-9),
    )
    means = examples.averaged().features.numpy()
    reference.fit(means, examples.targets.numpy().argmax(1))
    fitted = fit_head(examples, LinearSetting("means", 0.7), balanced=balanced, multi_label=False)
    scores = score_videos(fitted, others, multi_label=False).numpy()
    expected = reference.predict_proba(others.features.numpy()).reshape(60, 3, 3).mean(1)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert (scores.argmax(1) == expected.argmax(1)).all()


def test_the_clips_of_a_video_share_its_weight() -> None:
    examples = clouds()
    setting = LinearSetting("clips", 2.0)
    fitted = fit_head(examples, setting, balanced=False, multi_label=False)
    x, y = examples.features.numpy(), np.repeat(examples.targets.numpy().argmax(1), 3)
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=2.0, tol=1e-9))
    reference.fit(x, y, logisticregression__sample_weight=np.full(len(y), 1 / 3))
    scores = score_videos(fitted, examples, multi_label=False).numpy()
    expected = reference.predict_proba(x).reshape(60, 3, 3).mean(1)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_a_single_equal_vote_each_is_k_nearest_neighbours() -> None:
    examples, others = clouds(clips=1), clouds(clips=1, seed=0, spread=2.5)
    setting = NeighbourSetting("clips", 5, 1e9)  # so warm that all of them count the same
    fitted = fit_head(examples, setting, balanced=False, multi_label=False)
    reference = make_pipeline(StandardScaler(), KNeighborsClassifier(5))
    reference.fit(examples.features.numpy(), examples.targets.numpy().argmax(1))
    expected = reference.predict_proba(others.features.numpy())
    scores = score_videos(fitted, others, multi_label=False).numpy()
    np.testing.assert_allclose(scores, 0.99 * expected + 0.01 / 3, atol=1e-5)


def test_a_subset_keeps_clips_with_their_videos() -> None:
    examples = clouds((3, 2), clips=2)
    part = examples.subset(np.array([1, 4]))
    assert part.names == ("video 1.mp4", "video 4.mp4")
    assert part.video_index.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(part.features, examples.features[[2, 3, 8, 9]])
    assert part.targets.argmax(1).tolist() == [0, 1]
