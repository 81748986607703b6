import { isIPv4, isIPv6 } from 'node:net';

/**
 * Addresses as 16-bit groups: two for IPv4, eight for IPv6. Whoever compares or counts by address goes through
 * `parseIp`, so that one host has one form however it was written (capitals, `::`, zone id, IPv4 inside IPv6).
 */
type Groups = readonly number[];

export interface Cidr {
  readonly groups: Groups;
  /** Leading bits that count, 0–32 or 0–128. */
  readonly prefix: number;
}

/** Stands for a peer whose address is not known (a Unix socket); no allow list but 0.0.0.0/0 holds it. */
const UNKNOWN = '0.0.0.0';

/**
 * The client's address in canonical form: the socket's, or what `X-Forwarded-For` says when the socket is a listed
 * proxy. The header is read from right to left, since each proxy appends whom it saw and everything further left was
 * the client's to write; the first address that is no listed proxy is the client. An entry that is no address ends
 * the walk at the last hop we can vouch for.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | readonly string[] | undefined,
  trustedProxies: readonly Cidr[],
): string {
  let client = parseIp(socketAddress ?? '');
  if (client === undefined) return UNKNOWN;
  if (forwardedFor !== undefined && trustedProxies.length > 0) {
    const hops = String(forwardedFor).split(',');
    while (hops.length > 0 && contains(trustedProxies, client)) {
      const hop: Groups | undefined = parseHop(hops.pop() ?? '');
      if (hop === undefined) break;
      client = hop;
    }
  }
  return format(client);
}

/**
 * What a limit counts as one caller: an IPv4 address, or an IPv6 /64, because a single customer is given at least
 * that much and can use a new address for every call (RFC 6177). Text that is no address comes back as it is.
 */
export function networkKey(ip: string): string {
  if (isIPv4(ip)) return ip;
  const groups = parseIp(ip);
  if (groups === undefined) return ip;
  return groups.length === 2 ? format(groups) : `${format([...groups.slice(0, 4), 0, 0, 0, 0])}/64`;
}

/** RFC 5952 for IPv6, dotted for IPv4 (also for IPv4 inside IPv6); undefined when `text` is no address. */
export function canonicalIp(text: string): string | undefined {
  const groups = parseIp(text);
  return groups && format(groups);
}

/**
 * Address blocks from `10.0.0.0/8`, `2001:db8::/32` or single addresses. Throws an Error that names the entry when
 * one cannot be meant as written: a list that protects something must not lose an entry in silence.
 */
export function parseCidrs(list: readonly string[]): Cidr[] {
  return list.map(parseCidr);
}

/** The one form of a block: RFC 5952 or dotted, and always with its prefix. */
export function formatCidr({ groups, prefix }: Cidr): string {
  return `${format(groups)}/${prefix}`;
}

/** Whether the address lies in one of the blocks. Text that is no address lies in none. */
export function isInCidrs(ip: string, cidrs: readonly Cidr[]): boolean {
  const groups = parseIp(ip);
  return groups !== undefined && contains(cidrs, groups);
}

function parseCidr(entry: string): Cidr {
  const [address = '', length, ...rest] = entry.trim().split('/');
  const groups = address.includes('%') ? undefined : parseIp(address);
  const written = address.includes(':') ? 128 : 32;
  if (
    groups === undefined ||
    rest.length > 0 ||
    !/^(0|[1-9]\d{0,2})$/.test(length ?? '0') ||
    Number(length) > written
  ) {
    throw new Error(`"${entry}" is not an address block such as 10.0.0.0/8 or 2001:db8::/32.`);
  }
  // ::ffff:10.0.0.0/104 was folded to IPv4 and means 10.0.0.0/8.
  const folded = written - groups.length * 16;
  const prefix = length === undefined ? groups.length * 16 : Number(length) - folded;
  if (prefix < 0) throw new Error(`"${entry}" cuts through an IPv4 address inside IPv6; write the IPv4 block.`);
  const network = groups.map((group, index) => group & maskOf(index, prefix));
  // 10.1.2.3/8 may be meant as one host: guessing would open or close sixteen million addresses.
  if (network.some((group, index) => group !== groups[index])) {
    throw new Error(`"${entry}" has bits beyond its prefix; write ${format(network)}/${prefix}.`);
  }
  return { groups, prefix };
}

function contains(cidrs: readonly Cidr[], ip: Groups): boolean {
  return cidrs.some(
    ({ groups, prefix }) =>
      groups.length === ip.length &&
      groups.every((group, index) => ((ip[index] ?? 0) & maskOf(index, prefix)) === group),
  );
}

/** The bits of the group at `index` that a prefix of this length covers. */
function maskOf(index: number, prefix: number): number {
  const bits = Math.min(Math.max(prefix - index * 16, 0), 16);
  return (0xffff << (16 - bits)) & 0xffff;
}

/** One entry of X-Forwarded-For: an address, also as `1.2.3.4:5678`, `[2001:db8::1]` or `[2001:db8::1]:5678`. */
function parseHop(entry: string): Groups | undefined {
  const text = entry.trim();
  const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(text) ?? [];
  return parseIp(inBrackets ?? beforePort ?? text);
}

function parseIp(text: string): Groups | undefined {
  // Node's test is strict: four decimal parts without leading zeros, so 010.1.2.3 (octal to some) is no address.
  if (isIPv4(text)) return parseDotted(text);
  // A zone id names an interface of this machine, not another host.
  const zone = text.indexOf('%');
  const bare = zone === -1 ? text : text.slice(0, zone);
  if (!isIPv6(bare)) return undefined;
  const groups = parseColons(bare);
  const high = groups.slice(0, 6).join();
  // IPv4-mapped (RFC 4291, 2.5.5.2) and the well-known NAT64 prefix (RFC 6052): the host is the IPv4 one.
  return high === '0,0,0,0,0,65535' || high === '100,65435,0,0,0,0' ? groups.slice(6) : groups;
}

function parseDotted(text: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

function parseColons(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const left = parseGroups(head);
  if (tail === undefined) return left;
  const right = parseGroups(tail);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function parseGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => (part.includes('.') ? parseDotted(part) : [Number.parseInt(part, 16)]));
}

function format(groups: Groups): string {
  if (groups.length === 2) return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
  // RFC 5952, 4.2: the first of the longest runs of two or more zero groups becomes `::`.
  const [start, length] = longestZeroRun(groups);
  const text = (part: Groups) => part.map((group) => group.toString(16)).join(':');
  return length < 2 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

function longestZeroRun(groups: Groups): readonly [start: number, length: number] {
  let best: readonly [number, number] = [0, 0];
  let length = 0;
  groups.forEach((group, index) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best[1]) best = [index - length + 1, length];
  });
  return best;
}

/** Whether a URL's host is this machine: plain http there goes over no wire. */
export function isLoopbackHost(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
