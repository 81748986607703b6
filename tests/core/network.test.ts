import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalIp, clientAddress, isInCidrs, networkKey, parseCidrs } from '../../src/core/network.js';

const PROXIES = parseCidrs(['10.0.0.0/8', '127.0.0.1', 'fd00::/8']);

describe('clientAddress', () => {
  const from = (socket: string | undefined, header?: string | string[]) => clientAddress(socket, header, PROXIES);

  test('is the socket address when nobody forwards', () => {
    expect(from('203.0.113.9')).toBe('203.0.113.9');
    expect(from('10.1.2.3')).toBe('10.1.2.3');
  });

  test('does not believe a header that a stranger sent', () => {
    expect(from('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9');
    expect(clientAddress('203.0.113.9', '198.51.100.1', [])).toBe('203.0.113.9');
    expect(clientAddress('127.0.0.1', '198.51.100.1', [])).toBe('127.0.0.1');
  });

  test('takes the rightmost address that is no listed proxy, whatever the client wrote to its left', () => {
    expect(from('10.0.0.1', '198.51.100.1')).toBe('198.51.100.1');
    expect(from('10.0.0.1', '1.1.1.1, 198.51.100.1, 10.0.0.2')).toBe('198.51.100.1');
    expect(from('10.0.0.1', ['1.1.1.1', '198.51.100.1, 10.0.0.2'])).toBe('198.51.100.1');
    expect(from('10.0.0.1', '10.9.9.9, 198.51.100.1')).toBe('198.51.100.1');
  });

  test('is the leftmost proxy when every hop is a listed proxy', () => {
    expect(from('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
  });

  test.each([
    'unknown',
    '',
    ' ',
    ',',
    '1.2.3',
    '010.1.2.3',
    '1.2.3.4.5',
    '_hidden',
    '[::1',
    '1.2.3.4:999999',
    'a'.repeat(9999),
  ])('stops at the last hop it can vouch for when the next entry is %j', (entry) => {
    expect(from('10.0.0.1', `198.51.100.1, ${entry}`)).toBe('10.0.0.1');
    expect(from('10.0.0.1', `198.51.100.1, ${entry}, 10.0.0.2`)).toBe('10.0.0.2');
  });

  test('reads entries with ports and brackets', () => {
    expect(from('10.0.0.1', '198.51.100.1:51234')).toBe('198.51.100.1');
    expect(from('10.0.0.1', '[2001:DB8::1]:443')).toBe('2001:db8::1');
    expect(from('10.0.0.1', '[2001:db8::1]')).toBe('2001:db8::1');
  });

  test('folds IPv4 inside IPv6 and drops the zone id before it compares', () => {
    expect(from('::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(from('::ffff:10.0.0.1', '::ffff:c633:6401')).toBe('198.51.100.1');
    expect(from('64:ff9b::10.0.0.1', '198.51.100.1')).toBe('198.51.100.1');
    expect(from('fe80::1%eth0')).toBe('fe80::1');
    expect(from('FD00::1%eth0', '198.51.100.1')).toBe('198.51.100.1');
  });

  test('is 0.0.0.0 when the peer has no address', () => {
    expect(from(undefined, '198.51.100.1')).toBe('0.0.0.0');
    expect(from('/tmp/socket')).toBe('0.0.0.0');
  });
});

describe('canonicalIp', () => {
  test('writes every IPv6 address as the system does, and reads it back', () => {
    // Groups are often zero so that runs of zeros of every length occur.
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const long = groups.map((value) => value.toString(16).toUpperCase().padStart(4, '0')).join(':');
        const canonical = canonicalIp(long) ?? '';
        expect(canonicalIp(canonical)).toBe(canonical);
        const system = new SocketAddress({ address: long, family: 'ipv6' }).address;
        expect(canonicalIp(system)).toBe(canonical);
        if (!canonical.includes('.') && !system.includes('.')) expect(canonical).toBe(system);
      }),
    );
  });

  test('gives one form to one host', () => {
    for (const text of [
      '1.2.3.4',
      '::ffff:1.2.3.4',
      '::FFFF:0102:0304',
      '0:0:0:0:0:ffff:1.2.3.4',
      '64:ff9b::102:304',
    ]) {
      expect(canonicalIp(text)).toBe('1.2.3.4');
    }
    expect(canonicalIp('2001:db8:0:0:1:0:0:1')).toBe('2001:db8::1:0:0:1');
    expect(canonicalIp('::')).toBe('::');
    expect(canonicalIp('1::')).toBe('1::');
  });

  test.each(['', 'localhost', '1.2.3', '01.2.3.4', '0x7f.1', '1.2.3.4/8', '::g', ':::', '1:2:3:4:5:6:7:8:9', '%eth0'])(
    'refuses %j',
    (text) => {
      expect(canonicalIp(text)).toBeUndefined();
    },
  );
});

describe('networkKey', () => {
  test('keeps IPv4 addresses apart', () => {
    expect(networkKey('203.0.113.9')).toBe('203.0.113.9');
    expect(networkKey('::ffff:203.0.113.9')).toBe('203.0.113.9');
  });

  test('counts an IPv6 /64 as one caller and its neighbour as another', () => {
    const half = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
    const text = (groups: number[]) => groups.map((value) => value.toString(16)).join(':');
    fc.assert(
      fc.property(half, half, half, half, (net, other, host, host2) => {
        fc.pre(text(net) !== text(other));
        fc.pre(net.some((group) => group !== 0) && other.some((group) => group !== 0));
        fc.pre(net[0] !== 0x64 && other[0] !== 0x64);
        expect(networkKey(`${text(net)}:${text(host)}`)).toBe(networkKey(`${text(net)}:${text(host2)}`));
        expect(networkKey(`${text(net)}:${text(host)}`)).not.toBe(networkKey(`${text(other)}:${text(host2)}`));
      }),
    );
    expect(networkKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  });

  test('leaves what is no address alone', () => {
    expect(networkKey('')).toBe('');
  });
});

describe('address blocks', () => {
  test('hold exactly the addresses that share their prefix', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.integer({ min: 0, max: 32 }),
        (a, b, prefix) => {
          const dotted = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
          const high = (value: number) => Math.floor(value / 2 ** (32 - prefix));
          const block = parseCidrs([`${dotted(high(a) * 2 ** (32 - prefix))}/${prefix}`]);
          expect(isInCidrs(dotted(a), block)).toBe(true);
          expect(isInCidrs(dotted(b), block)).toBe(high(a) === high(b));
          expect(isInCidrs(`::ffff:${dotted(a)}`, block)).toBe(true);
        },
      ),
    );
  });

  test('work for IPv6 and never mix the two families', () => {
    const block = parseCidrs(['2001:db8::/33']);
    expect(isInCidrs('2001:db8:7fff:ffff::1', block)).toBe(true);
    expect(isInCidrs('2001:db8:8000::', block)).toBe(false);
    expect(isInCidrs('1.2.3.4', parseCidrs(['::/0']))).toBe(false);
    expect(isInCidrs('2001:db8::1', parseCidrs(['0.0.0.0/0']))).toBe(false);
  });

  test('read single addresses and IPv4 blocks written as IPv6', () => {
    expect(isInCidrs('127.0.0.1', parseCidrs(['127.0.0.1']))).toBe(true);
    expect(isInCidrs('127.0.0.2', parseCidrs(['127.0.0.1']))).toBe(false);
    expect(isInCidrs('10.200.0.1', parseCidrs(['::ffff:10.0.0.0/104']))).toBe(true);
    expect(isInCidrs('::1', parseCidrs([' ::1 ']))).toBe(true);
  });

  test('an empty list holds nobody, and nothing holds what is no address', () => {
    expect(isInCidrs('1.2.3.4', parseCidrs([]))).toBe(false);
    expect(isInCidrs('unknown', parseCidrs(['0.0.0.0/0', '::/0']))).toBe(false);
  });

  test.each([
    '',
    '10.0.0.0/33',
    '010.1.2.3',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '::/129',
    'fe80::1%eth0',
    'localhost',
    '10.0.0.0/8 10.1.0.0/16',
    '*',
    '0.0.0.0/0.0.0.0',
    '::ffff:10.0.0.0/8',
  ])('refuse %j by name', (entry) => {
    expect(() => parseCidrs(['127.0.0.1', entry])).toThrow(`"${entry}"`);
  });

  test('refuse bits beyond the prefix and say what to write', () => {
    expect(() => parseCidrs(['172.17.0.1/16'])).toThrow('write 172.17.0.0/16');
    expect(() => parseCidrs(['2001:db8::1/32'])).toThrow('write 2001:db8::/32');
  });
});
