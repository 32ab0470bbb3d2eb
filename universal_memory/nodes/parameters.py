"""
Parameters of a node as a table: name, default, range and meaning in one row.

The table is the single source of what a node can be told; descriptors for `ros2 param describe`,
range checks by rclcpp/rclpy and the README's table come from it. A `fixed` parameter is read once
when a plain node starts and refuses later changes; others are read each time they are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter


@dataclass(frozen=True)
class Row:
    """
    One parameter: `low` and `high` are inclusive, `choices` are the accepted strings.

    An empty list has no type in ROS, so the `default` of a list is `[""]`: blank entries are none.
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    fixed: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """Return the ROS descriptor of this row."""
        descriptor = ParameterDescriptor(description=self.description, read_only=self.fixed)
        if self.choices:
            descriptor.additional_constraints = "one of: " + ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, int):
                descriptor.integer_range = [
                    IntegerRange(from_value=int(self.low), to_value=int(self.high), step=0)
                ]
            else:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                ]
        return descriptor


class Parameters:
    """Declares `rows` on `node`; `parameters["name"]` is the present value."""

    def __init__(self, node: Node, rows: Iterable[Row]) -> None:
        """Raise `ValueError` if a start value is not one of its row's choices."""
        self._node = node
        self._choices = {row.name: row.choices for row in rows if row.choices}
        for row in rows:
            node.declare_parameter(row.name, row.default, row.descriptor())
        reason = self._refusal([node.get_parameter(name) for name in self._choices])
        if reason:
            raise ValueError(reason)
        node.add_on_set_parameters_callback(self._check)

    def __getitem__(self, name: str) -> Any:
        return self._node.get_parameter(name).value

    def _refusal(self, parameters: Iterable[Parameter]) -> str:
        for parameter in parameters:
            choices = self._choices.get(parameter.name)
            if choices and parameter.value not in choices:
                return (
                    f"parameter {parameter.name} is {parameter.value!r}: "
                    f"use one of {', '.join(choices)}"
                )
        return ""

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        reason = self._refusal(parameters)
        return SetParametersResult(successful=not reason, reason=reason)
