import assert from 'node:assert/strict';
import test from 'node:test';

import { REVOKED, codeIn, wayBack, wayIn, wordsFor } from '../../web/lib/pairing.js';

const ORIGIN = 'http://192.168.1.10:8080';

test('a code is taken from the fragment, and nothing else is', () => {
  assert.equal(codeIn('#code=012345'), '012345');
  for (const hash of ['', '#', '#/Mixer', '#code=12345', '#code=1234567', '#code=12345a', '#code=123456&x', 'code=123456']) assert.equal(codeIn(hash), '', hash);
});

test('the way back is a page of our own, whatever stands in the address', () => {
  const back = (to) => wayBack(ORIGIN, `?to=${encodeURIComponent(to)}`, '');
  assert.equal(back('/'), `${ORIGIN}/`);
  assert.equal(back('/#/Mixer'), `${ORIGIN}/#/Mixer`);
  assert.equal(back('/pages/a.html?x=1&y=%26'), `${ORIGIN}/pages/a.html?x=1&y=%26`);
  const evil = ['//evil.example', 'http://evil.example/', '\\\\evil.example', '/\\evil.example', '/\t/evil.example', '/\n/evil.example', 'javascript:alert(1)',
    ' //evil.example', '//192.168.1.10:8081/', 'evil.example', '', 'data:text/html,x', '/../..//evil.example', '///evil.example', `${ORIGIN}@evil.example`, '/pair?to=/pair', '//[x'];
  for (const to of evil) {
    const { origin, pathname } = new URL(back(to));
    assert.equal(origin, ORIGIN, to);
    assert.notEqual(pathname, '/pair', to);
  }
  assert.equal(new URL(back('/.//evil.example')).origin, ORIGIN);
  assert.ok(back('/.//evil.example').startsWith(ORIGIN), 'never an address that begins with two slashes');
});

test('a page that was in the address comes back, a code does not', () => {
  assert.equal(wayBack(ORIGIN, '?to=%2F', '#/Mixer'), `${ORIGIN}/#/Mixer`);
  assert.equal(wayBack(ORIGIN, '?to=%2F', '#code=123456'), `${ORIGIN}/`);
  assert.equal(wayBack(ORIGIN, '', ''), `${ORIGIN}/`);
});

test('the way in knows the way back, and why', () => {
  const at = { pathname: '/', search: '', hash: '#/Mon 1' };
  assert.equal(wayIn(at, 4401), '/pair?to=%2F%23%2FMon%201');
  assert.equal(wayIn(at, REVOKED), '/pair?why=revoked&to=%2F%23%2FMon%201');
  assert.equal(wayBack(ORIGIN, new URL(wayIn(at, 4401), ORIGIN).search, ''), `${ORIGIN}/#/Mon%201`);
});

test('each refusal has words of its own', () => {
  const said = ['wrong_code', 'used_code', 'expired_code', 'too_many'].map((error) => wordsFor({ error, message: 'x' }));
  assert.equal(new Set(said).size, 4);
  assert.equal(wordsFor({ error: 'bad_message', message: 'a code is 6 digits' }), 'a code is 6 digits');
});
