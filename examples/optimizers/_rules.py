"""The optimizers of the course, by the name of the file each is in, as the scripts of this folder use them."""

from dataclasses import dataclass, field

import torch

from trainloop import optim

CLASSES = (
    optim.SGD,
    optim.Adagrad,
    optim.RMSprop,
    optim.Adadelta,
    optim.Adam,
    optim.AdamW,
    optim.Adamax,
    optim.NAdam,
    optim.RAdam,
    optim.Rprop,
    optim.ASGD,
    optim.SparseAdam,
    optim.LBFGS,
    optim.Adafactor,
    optim.Muon,
    optim.LAMB,
    optim.LARS,
    optim.Lion,
    optim.Adam8bit,
    optim.SophiaG,
    optim.Lookahead,
    optim.ScheduleFreeSGD,
    optim.ScheduleFreeAdamW,
    optim.SOAP,
)


@dataclass(frozen=True)
class Rule:
    """An optimizer class, torch's of the same name if there is one, and how its walks are made."""

    cls: type
    twin: type | None
    options: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.cls.__name__

    def make(self, params, **options):
        """The optimizer with its defaults, apart from its own options and these; Lookahead around SGD with momentum."""
        options = self.options | options
        if self.cls is optim.Lookahead:
            return optim.Lookahead(optim.SGD(params, momentum=0.9, **options))
        return self.cls(params, **options)


RULES = {
    cls.__module__.rpartition(".")[2]: Rule(cls, getattr(torch.optim, cls.__name__, None)) for cls in CLASSES
}
# What one class does with other options, where that costs something else: rows of the comparison without a page.
VARIANTS = {"momentum": Rule(optim.SGD, torch.optim.SGD, {"momentum": 0.9})}
