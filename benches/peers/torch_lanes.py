"""Several networks at once in PyTorch, by torch.func: vmap of the gradient over stacked weights.

The recipe of PyTorch's "model ensembling" tutorial, with an update by torch._foreach_* on the
stacked weights, which is what its foreach optimizers run.
"""

import torch
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

import harness
import torch_steps


def lanes_step(given, model, images, labels):
    """A function that trains each of `given.lanes` networks one step and returns their losses."""
    lanes, batch_size, layout = given.lanes, given.batch_size, given.layout
    module = torch_steps.network(model, layout).to(given.device)
    names = [name for name, _ in module.named_parameters()]
    each = [
        torch_steps.to_torch(model, layout, harness.initial_weights(model, lane))
        for lane in range(lanes)
    ]
    weights = [torch.stack(same).to(given.device) for same in zip(*each, strict=True)]
    velocities = [torch.zeros_like(weight) for weight in weights]
    orders = [torch_steps.epochs(given.device) for _ in range(lanes)]

    def loss_of(weights, x, y):
        logits = functional_call(module, dict(zip(names, weights, strict=True)), (x,))
        return functional.cross_entropy(logits, y)

    # Each lane has its own dropout masks.
    gradients_of = vmap(grad_and_value(loss_of), randomness="different")

    def step():
        indices = torch.stack([order.take(batch_size) for order in orders])
        x = images[indices].to(torch.float32).mul_(1 / 255)
        gradients, losses = gradients_of(weights, x, labels[indices])
        with torch.no_grad():
            torch._foreach_mul_(velocities, harness.MOMENTUM)
            torch._foreach_add_(velocities, gradients)
            directions = torch._foreach_add(gradients, velocities, alpha=harness.MOMENTUM)
            torch._foreach_add_(weights, directions, alpha=-harness.LEARNING_RATE)
        return losses.detach()

    return step
