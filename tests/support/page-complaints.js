/**
 * What somebody with this screen would complain about, read off the page itself: anything wider than the screen, words
 * that are hard to read (WCAG 2.2, 1.4.3: 4.5 to 1), a thing to press that is too small for a thumb (2.5.8).
 */
(() => {
  const parse = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const channel = (value) => (value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r = 0, g = 0, b = 0]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const groundOf = (element) => {
    if (!element) return [255, 255, 255];
    const color = parse(getComputedStyle(element).backgroundColor);
    return color.length === 3 || color[3] === 1 ? color : groundOf(element.parentElement);
  };
  const found = [];
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) found.push(`wider than the screen: ${scrollWidth}`);
  let texts = 0;
  for (const element of document.querySelectorAll('body *')) {
    if (!element.checkVisibility()) continue;
    const box = element.getBoundingClientRect();
    if (box.right > innerWidth + 1) found.push(`${element.tagName} stands out to the right`);
    if (element.matches('button, a.button, input:not([type=hidden])') && box.height < 40)
      found.push(`${element.tagName} is only ${box.height} high`);
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim())) continue;
    texts += 1;
    const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(groundOf(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${element.tagName} has a contrast of ${contrast.toFixed(2)}`);
  }
  if (texts < 2) found.push(`only ${texts} texts are seen`);
  return found;
})();
