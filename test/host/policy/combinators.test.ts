/** Policies made of policies, checked against the logic that they stand for. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allOf, anyOf, not } from '../../../src/host/policy/combinators.ts';
import { everything } from '../../../src/host/policy/everything.ts';
import { holdingOn } from '../../../src/host/policy/holding-on.ts';
import type { OffloadPolicy } from '../../../src/host/policy/offload-policy.ts';
import { byPort } from '../../../src/host/policy/by-port.ts';
import { candidate } from './candidate.ts';

/** Answers as told. */
function fixed(name: string, wants: boolean, keeps: boolean, grants: boolean, reviewUs?: number): OffloadPolicy {
  return {
    name,
    batchUs: name.length,
    holdsData: false,
    wants: () => wants,
    keeps: () => keeps,
    grants: () => grants,
    ...(reviewUs !== undefined && { reviewUs }),
  };
}

const answers = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());

describe('combined', () => {
  test('all of them: every one wants and keeps, one lets go (R34)', () => {
    fc.assert(
      fc.property(fc.array(answers, { minLength: 1, maxLength: 4 }), parts => {
        const policy = allOf(parts.map(part => fixed('p', ...part)));
        expect(policy.wants(candidate())).toBe(parts.every(([wants]) => wants));
        expect(policy.keeps!(candidate())).toBe(parts.every(([, keeps]) => keeps));
        expect(policy.grants!(candidate(), 1)).toBe(parts.some(([, , grants]) => grants));
      }),
    );
  });

  test('any of them: one wants and keeps, every one lets go (R34)', () => {
    fc.assert(
      fc.property(fc.array(answers, { minLength: 1, maxLength: 4 }), parts => {
        const policy = anyOf(parts.map(part => fixed('p', ...part)));
        expect(policy.wants(candidate())).toBe(parts.some(([wants]) => wants));
        expect(policy.keeps!(candidate())).toBe(parts.some(([, keeps]) => keeps));
        expect(policy.grants!(candidate(), 1)).toBe(parts.every(([, , grants]) => grants));
      }),
    );
  });

  test('one that says nothing of keeping and granting keeps, and grants', () => {
    const plain = everything(0);
    expect(allOf([plain]).keeps!(candidate())).toBe(true);
    expect(anyOf([holdingOn(plain, [1]), plain]).grants!(candidate(), 1)).toBe(false);
    expect(allOf([holdingOn(plain, [1]), plain]).grants!(candidate(), 1)).toBe(true);
  });

  test('not one: what it does not want, for as long as it does not', () => {
    const policy = not(byPort([22], 0));
    for (const localPort of [22, 80]) {
      expect(policy.wants(candidate({ localPort }))).toBe(localPort !== 22);
      expect(policy.keeps!(candidate({ localPort }))).toBe(localPort !== 22);
    }
  });

  test('waits as long as the most patient, and looks as often as the most curious', () => {
    const parts = [
      fixed('one', true, true, true),
      fixed('three', true, true, true, 500),
      fixed('x', true, true, true, 90),
    ];
    expect(allOf(parts)).toMatchObject({ name: 'one & three & x', batchUs: 5, reviewUs: 90 });
    expect(anyOf(parts.slice(0, 1))).not.toHaveProperty('reviewUs');
    expect(not(everything(0)).holdsData).toBe(false);
  });
});
