// Before the first paint: a page in the sun must not flash black. The rest of the theme is surface/device.js.
try {
  document.documentElement.dataset.theme = localStorage.getItem('stagebridge.theme') || 'dark';
} catch (error) {
  document.documentElement.dataset.theme = 'dark';
}
