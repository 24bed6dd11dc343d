// web/lib/law.js says what bridge/law.py and bridge/coercion.py say: tests/vectors/laws.json is written by them.

import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { clamp, decimals, format, position, valueAt } from '../../web/lib/law.js';

const VECTORS = JSON.parse(readFileSync(new URL('../vectors/laws.json', import.meta.url)));

function near(actual, expected, what) {
  const slack = 1e-12 * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= slack, `${what}: ${actual} is not ${expected}`);
}

const byPath = new Map();
for (const vector of VECTORS) byPath.set(vector.control.path, [...(byPath.get(vector.control.path) ?? []), vector]);

test('there are vectors', () => assert.ok(VECTORS.length >= 300));

for (const [path, vectors] of byPath) {
  test(`${path} means the same on the page as in the bridge`, () => {
    for (const { control, position: at, value, text, back } of vectors) {
      const mine = clamp(control, valueAt(control, at));
      const what = `${path} at ${at}`;
      if (control.step === undefined) near(mine, value, what);
      else assert.equal(mine, value, what); // steps are the very same number, or a page fights the bridge over dust
      assert.equal(clamp(control, value), value, `${what} once more`);
      assert.ok(!Object.is(mine, -0), what);
      assert.equal(format(control, value).text, text, what);
      near(position(control, value), back, `${what}, back`);
    }
  });
}

test('decimals that are not told follow from step and range as in the bridge', () => {
  const told = /decimals|attack/; // these two say their own
  for (const { control } of VECTORS) {
    if (!told.test(control.path)) assert.equal(decimals({ ...control, decimals: undefined }), control.decimals, control.path);
  }
});
