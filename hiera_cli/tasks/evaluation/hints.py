"""What a result gives away about a mistake in the data set's labels."""

from hiera_cli.datasets.class_names import is_class_number
from hiera_cli.tasks.evaluation.summary import Account


def labels_count_from_one(account: Account) -> bool:
    """Whether the class numbers of a list seem to begin at 1, where the model's begin at 0.

    Either they reach one beyond the model's last class, or taking one off each makes more of the
    predictions right than leaving them, and at least a quarter of them. No class is 0.
    """
    dataset, outcomes = account.plan.dataset, account.outcomes
    if not dataset.indexed or not all(map(is_class_number, dataset.classes)):
        return False
    numbers = [int(name) for name in dataset.classes]
    if 0 in numbers:
        return False
    if max(numbers) == len(account.plan.labels):
        return True
    right = sum(outcome.predicted == outcome.target for outcome in outcomes)
    shifted = sum(outcome.predicted == outcome.target - 1 for outcome in outcomes)
    return shifted > right and 4 * shifted >= len(outcomes) > 0
