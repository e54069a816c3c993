// As much of a browser as the sign-in pages need: cookies, forms, redirects followed within one origin.
const unescape = (text) =>
  text.replace(/&(amp|lt|gt|quot|#x?[0-9a-fA-F]+);/g, (whole, name) => {
    const known = { amp: '&', lt: '<', gt: '>', quot: '"' }[name];
    return known ?? String.fromCodePoint(name[1] === 'x' ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10));
  });

export class Browser {
  #cookies = new Map();

  constructor(origin, fetch) {
    this.origin = origin;
    this.fetch = fetch;
  }

  // The page that an address ends at, or the address outside of the origin that it leads to.
  async open(address, body) {
    for (let hops = 0; hops < 12; hops++) {
      const url = new URL(address, this.origin);
      if (url.origin !== this.origin) {
        return { left: url };
      }
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await this.fetch(url, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: cookie ? { cookie } : {},
      });
      for (const line of answer.headers.getSetCookie()) {
        const [name, value] = line.split(';', 1)[0].split(/=(.*)/s);
        if (value === '') {
          this.#cookies.delete(name);
        } else {
          this.#cookies.set(name, value);
        }
      }
      const text = await answer.text();
      if (answer.status < 300 || answer.status > 399) {
        return { status: answer.status, text };
      }
      [address, body] = [new URL(answer.headers.get('location'), url), undefined];
    }
    throw new Error('Too many redirects.');
  }

  // Fills the first form of a page in and sends it.
  submit(page, fields) {
    const form = /<form method="post" action="([^"]*)"[^]*?<\/form>/.exec(page.text);
    if (!form) {
      throw new Error(`No form: ${page.status} ${page.text}`);
    }
    const hidden = [...form[0].matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const values = hidden.map(([, name, value]) => [unescape(name), unescape(value)]);
    return this.open(unescape(form[1]), new URLSearchParams([...values, ...Object.entries(fields)]));
  }

  async signIn(address, user, password, decision = 'allow') {
    const page = await this.open(address);
    const next = page.left ? page : await this.submit(page, { user, password });
    return next.text?.includes('Let this program in?') ? this.submit(next, { decision }) : next;
  }
}
