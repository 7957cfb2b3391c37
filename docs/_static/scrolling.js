// Whoever has no mouse scrolls a wide table or a long line by keys: then it must take the focus.
const reach = () => {
  for (const part of document.querySelectorAll('.content pre, .content .table-wrapper')) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute('tabindex');
  }
};
addEventListener('load', reach);
addEventListener('resize', reach);
