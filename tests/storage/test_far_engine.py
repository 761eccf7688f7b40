"""An engine whose remote shards are read through an agent."""

from __future__ import annotations

import random

import msgpack
import numpy as np
import pytest
from couriers import URL, Memory, passing

from ddfast._native.arena import Pool
from ddfast._native.decode import Decoder
from ddfast._native.engine import Engine
from ddfast._native.feed import Feed
from ddfast._native.fetch import Fetch
from ddfast._native.file import File
from ddfast._native.offsets import OffsetTable
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast.errors import KernelError, ReadError, StorageDeniedError
from ddfast.storage.agent import Agent
from ddfast.storage.attempts import Policy

COUNT = 400
