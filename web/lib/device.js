// What this device keeps for its pages, ours and people's own, and how it is called on the others.

const KEYS = { theme: 'stagebridge.theme', name: 'stagebridge.name', sleep: 'stagebridge.sleep-hint' };

/** Read and write what a device keeps; a private window may refuse both. */
export const memory = {
  get(key) {
    try {
      return window.localStorage.getItem(KEYS[key]);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      window.localStorage.setItem(KEYS[key], value);
    } catch {
      // Kept for this visit only.
    }
  },
};

/** How this device is called on the others while it holds a control. */
export function deviceName() {
  return memory.get('name') || guessName(navigator);
}

/** "iPad", "Android phone", "Mac": enough to know whom to shout at. */
export function guessName({ userAgent = '', maxTouchPoints = 0 }) {
  if (/iPhone/.test(userAgent)) return 'iPhone';
  if (/iPad/.test(userAgent) || (/Macintosh/.test(userAgent) && maxTouchPoints > 1)) return 'iPad';
  if (/Android/.test(userAgent)) return /Mobile/.test(userAgent) ? 'Android phone' : 'Android tablet';
  if (/Macintosh/.test(userAgent)) return 'Mac';
  if (/Windows/.test(userAgent)) return 'Windows';
  return /Linux|X11/.test(userAgent) ? 'Linux' : 'browser';
}
