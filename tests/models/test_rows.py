"""LSTMs over the rows of an image, and what they keep."""

import torch
from torch import nn

from aelib.models.rows import Repeat, RowCode, RowStates, States
from aelib.nets import open_forget_gates


def test_states_are_torchs():
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 7, batch_first=True)
    torch.manual_seed(0)
    states, last = States(5, 7), States(5, 7, last=True)
    last.load_state_dict(states.state_dict())
    x = torch.rand(2, 4, 5)
    output, (h, _) = lstm(x)
    torch.testing.assert_close(states(x), output)
    torch.testing.assert_close(last(x), h[0])


def test_row_states_see_no_later_row_and_the_row_code_sees_them_all():
    torch.manual_seed(0)
    x = torch.rand(3, 1, 28, 28)
    changed = x.clone()
    changed[:, :, 20] = 0
    model = RowStates()
    before, after = model(x).x_hat, model(changed).x_hat
    torch.testing.assert_close(before[:, :, :20], after[:, :, :20])
    assert not torch.allclose(before[:, :, 20], after[:, :, 20])
    model = RowCode()
    assert not torch.allclose(model(x).x_hat[:, :, 0], model(changed).x_hat[:, :, 0], atol=0)


def test_repeating():
    assert Repeat(3)(torch.tensor([[1.0, 2.0]])).tolist() == [[[1.0, 2.0]] * 3]


def test_open_gates_keep_what_a_cell_holds():
    torch.manual_seed(0)
    lstm = open_forget_gates(nn.LSTM(3, 4), bias=50.0)  # forget gates at 1
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
            getattr(lstm, name).zero_()
        lstm.bias_ih_l0[:4] = -50  # input gates at 0
    c = torch.randn(1, 2, 4)
    _, (_, kept) = lstm(torch.rand(20, 2, 3), (torch.zeros(1, 2, 4), c))
    torch.testing.assert_close(kept, c)
    gates = RowCode().encoder[1].lstm.bias_ih_l0
    assert torch.equal(gates[128:256], torch.ones(128)) and not torch.equal(gates[:128], torch.ones(128))
