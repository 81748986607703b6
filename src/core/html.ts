/** Markup that may be put into a page as it is. Only `html` and `trusted` make it. */
export class Html {
  constructor(private readonly markup: string) {}
  toString(): string {
    return this.markup;
  }
}

type Interpolated = string | number | Html | undefined | readonly (string | Html)[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Safe in element content and in quoted attribute values; not inside script, style or an unquoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

function render(value: Interpolated): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'string' || typeof value === 'number') return escapeHtml(String(value));
  return value.map(render).join('');
}

/** A template whose every value is escaped unless it came out of `html` itself: forgetting to escape is not possible. */
export function html(strings: TemplateStringsArray, ...values: Interpolated[]): Html {
  return new Html(strings.reduce((page, part, at) => page + render(values[at - 1]) + part));
}

/** For constants of the program (a style sheet). Never for anything that was read, received or stored. */
export function trusted(constant: string): Html {
  return new Html(constant);
}
