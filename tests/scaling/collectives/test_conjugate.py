"""Collectives with gradients, against differences on all ranks."""

import pytest
import torch
from torch import distributed as dist

from scratchlm.scaling.collectives.conjugate import (
    all_gather,
    all_to_all,
    copy_to,
    gather_from,
    gradcheck_across,
    reduce_scatter,
    shard_sizes,
    split_to,
    sum_over,
)
from scratchlm.scaling.collectives.local import RankError, run

N = 5  # rows, which neither two nor four ranks share evenly
SAME, OWN = True, False


def part(group, dim=1):
    """This rank's part of a matrix of N columns."""
    generator = torch.Generator().manual_seed(group.rank())
    n = shard_sizes(N, group.size())[group.rank()]
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return x.movedim(0, dim).contiguous()


def whole(group, seed=None):
    """A matrix of N columns, another on each rank unless a seed is given."""
    seed = group.rank() if seed is None else seed
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, N, generator=generator, dtype=torch.float64)


def own(group, x):
    """Do something on each rank that the others do not do."""
    return (x * (group.rank() + 1)).sin()


def all_pairs(group):
    """The largest error of each function's gradient, at every kind."""
    sizes = shard_sizes(N, group.size())
    rows = [2, *[1] * (group.size() - 1)]
    same, mine, x = whole(group, 7), part(group), whole(group)
    cases = {
        "copy_to": (lambda x: own(group, copy_to(x, group)), same, SAME, OWN),
        "sum_over": (lambda x: sum_over(x, group).sin(), x, OWN, SAME),
        "split_to": (
            lambda x: own(group, split_to(x, group, 1)), same, SAME, OWN
        ),
        "gather_from": (
            lambda x: gather_from(x, group, 1, sizes).sin(), mine, OWN, SAME
        ),
        "all_gather": (
            lambda x: own(group, all_gather(x, group, 1, sizes)),
            mine, OWN, OWN,
        ),
        "reduce_scatter": (
            lambda x: own(group, reduce_scatter(x, group, 1)), x, OWN, OWN
        ),
        "all_to_all": (
            lambda x: own(
                group,
                all_to_all(
                    x, group, rows, [rows[group.rank()]] * group.size()
                ),
            ),
            whole(group).T[: sum(rows)].contiguous(), OWN, OWN,
        ),
    }  # fmt: skip
    return {
        name: gradcheck_across(f, x, group, replicated=(alike_in, alike_out))
        for name, (f, x, alike_in, alike_out) in cases.items()
    }


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_each_backward_is_the_conjugate_of_its_forward(ranks, world_size):
    """A gradient W times too large or too small: training goes on, with a
    learning rate that nobody chose. Parts here are of unequal length."""
    for errors in ranks(world_size)(all_pairs):
        assert max(errors.values()) < 1e-8, errors


def wrong_pairs(group):
    """Backwards that belong to the other kind of output."""
    sizes = shard_sizes(N, group.size())

    def gathered(x):  # each rank goes on differently, backward only cuts
        return own(group, gather_from(x, group, 1, sizes))

    def summed(x):  # as torch.distributed.nn's: backward sums again
        return all_gather(x, group, 1, sizes).sin()

    mine = part(group)
    return (
        gradcheck_across(gathered, mine, group, replicated=(OWN, OWN)),
        gradcheck_across(summed, mine, group, replicated=(OWN, SAME)),
    )


def test_the_check_sees_a_backward_of_the_wrong_kind(ranks):
    """A check that passes whatever the backward does."""
    for errors in ranks(2)(wrong_pairs):
        assert min(errors) > 0.1


def test_values_are_those_of_the_whole(ranks):
    """Parts joined in another order than they were cut in, or along another
    dimension."""

    def check(group):
        x, size = whole(group, 7), group.size()
        for dim in (0, 1, -1):
            sizes = shard_sizes(x.shape[dim], size)
            mine = split_to(x, group, dim)
            assert mine.shape[dim] == sizes[group.rank()]
            for join in (gather_from, all_gather):
                assert torch.equal(join(mine, group, dim, sizes), x)
            total = reduce_scatter(x, group, dim)
            torch.testing.assert_close(total, size * mine)
        torch.testing.assert_close(sum_over(x, group), size * x)
        assert torch.equal(copy_to(x, group), x)

    ranks(2)(check)
    ranks(4)(check)


def test_the_input_of_a_sum_is_not_changed(ranks):
    """An all-reduce in place: the caller's activation becomes the sum, and
    backward of the layer before it goes wrong."""

    def check(group):
        x = torch.ones(3)
        before = x.clone()
        y = sum_over(x, group)
        return torch.equal(x, before), y.tolist()

    assert ranks(2)(check)[1] == (True, [2.0] * 3)


def test_rows_reach_whom_they_are_for(ranks):
    """Uneven rows, one rank that gets none: experts that nobody chose."""

    def check(group):
        counts = [[1, 2], [0, 3]]  # from, to
        me = group.rank()
        x = torch.cat(
            [
                torch.full((n, 2), 10.0 * me + to)
                for to, n in enumerate(counts[me])
            ]
        )
        got = all_to_all(x, group, counts[me], [row[me] for row in counts])
        return got[:, 0].tolist()

    assert ranks(2)(check) == [[0.0], [1.0, 1.0, 11.0, 11.0, 11.0]]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x, g: gather_from(x, g, 0, [3]), "1 sizes for 2 ranks"),
        (lambda x, g: all_gather(x, g, 0, [2, 2]), r"promise 2 .* are 3"),
        (all_to_all, "3 rows do not go to 2"),
        (lambda x, g: all_to_all(x, g, [1, 1]), "promise 2 .* are 3"),
        (lambda x, g: all_to_all(x, g, [1, 2], [3]), "received has 1"),
        (
            lambda x, g: gradcheck_across(
                torch.sin, x, g, replicated=(True, True)
            ),
            "float32; give x.double",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(call, told):
    """Ranks that expect other sizes than are sent: memory of nobody, or a
    hang."""
    with pytest.raises(RankError, match=told):
        run(lambda group: call(torch.ones(3), group), 2)


def test_shares_differ_by_one_at_most():
    """The last rank gets what is left, which may be nothing or a lot."""
    for n in range(12):
        for size in range(1, 6):
            sizes = shard_sizes(n, size)
            assert sum(sizes) == n
            assert len(sizes) == size
            assert max(sizes) - min(sizes) <= 1
            x = torch.arange(n).tensor_split(size)
            assert [len(part) for part in x] == sizes


def test_groups_of_some_ranks_sum_among_themselves(ranks):
    """The group of all where the caller named a smaller one."""

    def check(group):
        pairs = [dist.new_group([0, 1]), dist.new_group([2, 3])]
        mine = pairs[group.rank() // 2]
        x = torch.full((1,), float(group.rank()), requires_grad=True)
        y = sum_over(copy_to(x, mine) * (group.rank() + 1), mine)
        (gradient,) = torch.autograd.grad(y, x)
        return y.item(), gradient.item()

    assert ranks(4)(check) == [
        (2.0, 3.0),
        (2.0, 3.0),
        (18.0, 7.0),
        (18.0, 7.0),
    ]


def test_shapes_are_checked_in_ranks_too(ranks):
    """A suite that checks all shapes, but not those in other processes."""

    def ask(group):
        try:
            sum_over("no tensor", group)
        except AttributeError:
            return "unchecked"
        except Exception as error:
            return type(error).__name__

    assert ranks(2)(ask) == ["TypeCheckError"] * 2
