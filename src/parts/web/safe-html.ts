// The HTML of a message, made harmless. This is the only module that knows sanitize-html.
//
// Invariants:
// - Nothing in the result runs, sends a form, or leaves its frame. The frame's own policy says the same again.
// - Nothing in the result is fetched from elsewhere, unless the reader has asked for it.
//
// What remains: text, links, tables, colours and fonts, and images.

import sanitize from "sanitize-html";

export interface HtmlChoices {
  /** Images at other hosts are shown. */
  readonly isRemote: boolean;
  /** The images of the message itself, as data: URLs, by their Content-ID. */
  readonly images: ReadonlyMap<string, string>;
}

export interface SafeHtml {
  readonly html: string;
  /** Images at other hosts that were left out. */
  readonly left: number;
}

/** Characters of the HTML that are read. */
const HTML_MAX = 1_000_000;

const TAGS = [
  ..."a abbr address article aside b bdi bdo big blockquote br caption center cite code col".split(
    " ",
  ),
  ..."colgroup dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5".split(
    " ",
  ),
  ..."h6 header hr i img ins kbd li main mark nav ol p pre q s samp section small span strike".split(
    " ",
  ),
  ..."strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr".split(" "),
];

const PRESENTATION = [
  ..."align valign bgcolor color width height border cellpadding cellspacing face size".split(" "),
  ..."colspan rowspan dir lang title nowrap start type style".split(" "),
];

/** Values without functions, escapes and comments, so without addresses; colours may be written as functions. */
const PLAIN_VALUE = /^(?:[^()\\/@<>{};]|rgba?\([\d\s.,%]{1,40}\))*$/;
const STYLES = [
  ..."background-color color direction display font-family font-size font-style font-weight".split(
    " ",
  ),
  ..."height letter-spacing line-height list-style-type margin margin-bottom margin-left".split(
    " ",
  ),
  ..."margin-right margin-top max-width min-width padding padding-bottom padding-left".split(" "),
  ..."padding-right padding-top text-align text-decoration text-indent vertical-align".split(" "),
  ..."white-space width border border-bottom border-collapse border-color border-left".split(" "),
  ..."border-radius border-right border-spacing border-style border-top border-width".split(" "),
];

export function safeHtml(html: string, { isRemote, images }: HtmlChoices): SafeHtml {
  let left = 0;
  const image = (tagName: string, { src = "", ...attribs }: sanitize.Attributes): sanitize.Tag => {
    const own = /^cid:/i.test(src) ? images.get(decoded(src.slice(4))) : undefined;
    if (own !== undefined) return { tagName, attribs: { ...attribs, src: own } };
    const isElsewhere = /^https?:/i.test(src.trim());
    if (isElsewhere && isRemote) return { tagName, attribs: { ...attribs, src } };
    if (isElsewhere) left++;
    return { tagName: "span", attribs: {}, text: attribs["alt"] ?? "" };
  };
  const safe = sanitize(html.slice(0, HTML_MAX), {
    allowedTags: TAGS,
    allowedAttributes: { "*": PRESENTATION, a: ["href", "target", "rel"], img: ["src", "alt"] },
    allowedStyles: { "*": Object.fromEntries(STYLES.map((name) => [name, [PLAIN_VALUE]])) },
    allowedSchemes: ["http", "https", "mailto"],
    allowedSchemesByTag: { img: ["http", "https", "data"] },
    allowProtocolRelative: false,
    disallowedTagsMode: "discard",
    nestingLimit: 200,
    transformTags: {
      a: (tagName, attribs) => ({
        tagName,
        attribs: { ...attribs, target: "_blank", rel: "noopener noreferrer nofollow" },
      }),
      img: image,
    },
  });
  return { html: safe, left };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
