"""The list: each mutant breaks one promise in one place, by replacing text that occurs there exactly once."""

from __future__ import annotations

from dataclasses import dataclass

SIMULATION = ("-m", "tests.simulation", "--seeds", "0:400")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: in ``path`` (below src/ohlcache) ``old`` becomes ``new``; ``command`` (of Python) must then fail."""

    name: str
    path: str
    old: str
    new: str
    command: tuple[str, ...] = SIMULATION


def _tests(*names: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *names)


MUTANTS = (
    Mutant(
        "no second read under the lease",
        "service/covering.py",
        "strongly=lease is not None)",
        "strongly=False)",
    ),
    Mutant(
        "what is forming is called final",
        "domain/observation.py",
        "final = sessions.days <= (newest_final.toordinal() if newest_final else 0)",
        "final = sessions.days > 0",
    ),
    Mutant(
        "expiry is ignored",
        "domain/coverage.py",
        "= self.expires_at(final_life_seconds) > now\n",
        "= self.expires_at(final_life_seconds) > 0\n",
    ),
    Mutant(
        "the latest final word wins",
        "domain/coverage.py",
        "np.where(final, observed, -observed)",
        "-observed",
        _tests("tests/domain/test_coverage.py"),
    ),
    Mutant(
        "today is the date in UTC",
        "domain/market_time.py",
        "return datetime.fromtimestamp(instant, NEW_YORK).date()",
        "return datetime.fromtimestamp(instant, UTC).date()",
    ),
    Mutant(
        "a cut-off answer is not doubted",
        "service/fetching.py",
        "as_of=as_of, beside=beside)\n",
        "as_of=as_of, beside=beside)[:0]\n",
    ),
    Mutant(
        "an empty answer is believed against the vendor's own listing",
        "service/fetching.py",
        "if contradicts_listing(",
        "if False and contradicts_listing(",
    ),
    Mutant(
        "an answer may deny what it sent a moment ago",
        "service/fetching.py",
        "if len(self._within(answer, gap).candles):",
        "if len(self._within(answer, gap).candles) < 0:",
        _tests("tests/service/test_vendor_answers.py", "-k", "denies_what_it_just_sent"),
    ),
    Mutant(
        "an empty answer may deny candles that are held",
        "service/fetching.py",
        "if heard.bare and len(self._traded(span)):",
        "if False:",
        _tests("tests/service/test_vendor_answers.py", "-k", "denies_what_is_held"),
    ),
    Mutant(
        "an hour that lacks its first half is whole",
        "domain/observation.py",
        "if answer.bars_from is not None:",
        "if False:",
        _tests("tests/domain/test_observation.py", "-k", "first_half"),
    ),
    Mutant(
        "a session with a rejected row is called empty",
        "domain/observation.py",
        "    states[rejected] = SessionState.REJECTED\n",
        "",
        _tests("tests/service/test_rejected_rows.py"),
    ),
    Mutant(
        "a rejected row is taken for one that was cut off",
        "domain/observation.py",
        "    if not answer.rejected:\n        return answer.candles.time.copy()",
        "    if True:\n        return answer.candles.time.copy()",
        _tests("tests/service/test_rejected_rows.py", "-k", "edge"),
    ),
    Mutant(
        "a good row outvotes a bad one of its day",
        "domain/rejections.py",
        "kept = order[~spoilt[order] & ~np.isin(order, twins)]",
        "kept = order[~np.isin(order, [*twins, *found])]",
        _tests("tests/adapters/test_tiingo_wire.py", "-k", "outvote"),
    ),
    Mutant(
        "calls are made beyond the hour's allowance",
        "adapters/vendors/vendor_http.py",
        "        self._calls.check(self._clock.now())\n",
        "",
        _tests("tests/adapters/test_tiingo.py", "-k", "hour_s"),
    ),
    Mutant(
        "what is about to expire outvotes its renewal",
        "domain/renewal.py",
        "(self.lasting(old) | ~np.isin(old.days, renewed))",
        "(self.lasting(old) | True)",
        _tests("tests/service/test_fetched_once.py", "-k", "expires"),
    ),
    Mutant(
        "what lies before a known beginning is asked for",
        "service/covering.py",
        "if not oldest.toordinal() <= through < first_traded:",
        "if True:",
        _tests("tests/service/test_vendor_answers.py", "-k", "known_beginning"),
    ),
    Mutant(
        "anybody releases anybody's lease",
        "adapters/stores/lease_rules.py",
        "return held.holder == lease.holder and held.fence == lease.fence",
        "return held.key == lease.key",
    ),
    Mutant(
        "an expired lease is never free",
        "adapters/stores/lease_rules.py",
        "return self.holder is None or self.expires_at <= now",
        "return self.holder is None",
        _tests("tests/contracts/test_stores.py", "-k", "memory"),
    ),
    Mutant(
        "fences do not rise",
        "adapters/stores/lease_rules.py",
        "LeaseRecord(key, fence + 1, now + life_seconds, holder)",
        "LeaseRecord(key, max(fence, 1), now + life_seconds, holder)",
    ),
    Mutant(
        "80 % is good enough",
        "domain/plan.py",
        "    if not len(missing):\n        return ()",
        "    if len(missing) <= 0.2 * len(due_sessions(need, calendar, as_of)):\n        return ()",
    ),
    Mutant(
        "the certificate is satisfied with 80 %",
        "domain/composition.py",
        "complete=not len(missing),",
        "complete=len(missing) <= 0.2 * len(due),",
    ),
    Mutant(
        "a split applies to the ex-date itself",
        "domain/adjustment.py",
        'days.searchsorted(actions.days[-1])], "right")',
        'days.searchsorted(actions.days[-1], "right")], "left")',
    ),
    Mutant(
        "the dividend factor is the textbook's other one",
        "domain/adjustment.py",
        "actions.closes / (actions.closes + actions.dividends)",
        "(actions.closes - actions.dividends) / actions.closes",
    ),
    Mutant(
        "volume is not split",
        "domain/adjustment.py",
        "np.rint(volume[:changed] * split)",
        "np.rint(volume[:changed] * 1.0)",
    ),
    Mutant(
        "the ledger ends with the request",
        "domain/plan.py",
        "Span(request.span.start, max(request.span.end, newest or request.span.end))",
        "Span(request.span.start, request.span.end)",
    ),
    Mutant(
        "failures are not shared with those who wait",
        "service/lease_wait.py",
        "raise failure_of(seen.failure)",
        "return None",
    ),
    Mutant(
        "a lease is never given back",
        "service/covering.py",
        "            if lease is not None:\n                await visit.release(",
        "            if lease is not None and failure is not None:\n                await visit.release(",
    ),
    Mutant(
        "what was fetched is not written",
        "service/covering.py",
        "if not len(new):\n            return",
        "if len(new):\n            return",
    ),
    Mutant(
        "a holder is displaced at once",
        "service/lease_wait.py",
        "WAIT_TRIES = 15",
        "WAIT_TRIES = 2",
    ),
    Mutant(
        "a holder is waited for beyond every budget",
        "service/lease_wait.py",
        "WAIT_SECONDS = 0.2",
        "WAIT_SECONDS = 8.0",
    ),
    Mutant(
        "those who wait go on without a lease",
        "service/lease_wait.py",
        "WAIT_ROUNDS = 2",
        "WAIT_ROUNDS = 0",
    ),
    Mutant(
        "a store that failed a request is asked again",
        "service/guarded_store.py",
        "return None if self.ended else await self._attempt(operation, call)",
        "return await self._attempt(operation, call)",
    ),
    Mutant(
        "fetches of one process are not joined",
        "service/covering.py",
        "if flight.reach.overlaps(need.span)",
        "if flight.reach.overlaps(need.span) and not flights",
    ),
    Mutant(
        "a cancelled caller takes the others with it",
        "service/single_flight.py",
        "return await asyncio.shield(task), shared",
        "return await task, shared",
    ),
    Mutant(
        "memory serves what is no longer fresh",
        "service/memory_tier.py",
        "            if now < entry.expires_at:\n                return self._asked(entry)",
        "            if now < entry.expires_at + 3600:\n                return self._asked(entry)",
    ),
    Mutant(
        "memory grows without end",
        "service/memory_tier.py",
        "        while len(self._entries) + entries > self._entries_max or",
        "        while",
        _tests("tests/service/test_memory_tier.py"),
    ),
    Mutant(
        "an answer stays fresh when a session falls due",
        "domain/composition.py",
        "    return min(moments, default=math.inf)",
        "    return math.inf if moments else math.inf",
    ),
    Mutant(
        "bars on holidays are kept",
        "domain/sessions.py",
        "inside = (self.days[index] == ordinals) & (midnight_utc(ordinals) == times)",
        "inside = (self.days[index] <= ordinals + 3) & (midnight_utc(ordinals) == times)",
    ),
    Mutant(
        "an empty session is believed for a month",
        "domain/freshness.py",
        ".clip(KNOWN_EMPTY_LIFE_SECONDS_MIN, KNOWN_EMPTY_LIFE_SECONDS_MAX)",
        ".clip(30 * DAY_SECONDS, 30 * DAY_SECONDS)",
    ),
    Mutant(
        "a refused quota is worked around",
        "service/sources.py",
        "WORTH_ANOTHER_WAY = (VendorUnavailable, VendorGarbage, NotEntitled)",
        "WORTH_ANOTHER_WAY = (VendorError,)",
    ),
    Mutant(
        "one need's failure hides the other's refusal",
        "service/sources.py",
        "raise min(failures, key=lambda failure: isinstance(failure, WORTH_ANOTHER_WAY))",
        "raise failures[0]",
    ),
    Mutant(
        "a daily stand-in is kept under another span's key",
        "service/sources.py",
        "            span = Span(min(span.start, newest or span.start), span.end)\n",
        "            assert newest\n",
        _tests("tests/simulation/test_found.py"),
    ),
    Mutant(
        "older prices of before and after an unknown session meet",
        "domain/composition.py",
        "if shortfall is not None and adjustment is not Adjustment.NONE and not source.pre_adjusted:",
        "if shortfall is not None and not stale and adjustment is not Adjustment.NONE and not source.pre_adjusted:",
        _tests("tests/simulation/test_found.py"),
    ),
    Mutant(
        "a failing store fails the request",
        "service/guarded_store.py",
        "operation is Operation.READ\n            return None",
        "operation is Operation.READ\n            raise",
    ),
)
