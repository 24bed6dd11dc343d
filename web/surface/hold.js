// A button of the bar that must be held: unlock, panic. A ring of light fills while it is.

import { Finger } from '../elements/finger.js';

/** `isNeeded()` false: a plain press acts. `done()` is called once, when the time is full. */
export function holdButton(button, ms, { isNeeded = () => true, done }) {
  let timer = 0;
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
    button.classList.remove('holding');
  };
  const start = () => {
    if (!isNeeded()) {
      done();
      return;
    }
    button.style.setProperty('--hold', `${ms}ms`);
    button.classList.add('holding');
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop();
      done();
    }, ms);
  };
  new Finger(button, { mayStart: () => true, down: start, move: () => {}, up: stop });
  button.addEventListener('keydown', (event) => {
    if ((event.key === ' ' || event.key === 'Enter') && !event.repeat) {
      event.preventDefault();
      start();
    }
  });
  button.addEventListener('keyup', stop);
  button.addEventListener('blur', stop);
}
