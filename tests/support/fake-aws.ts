import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { textOf } from './receiver.js';

export interface Taken {
  service: 'SNS' | 'SQS';
  body: string;
  kind: string | undefined;
  group: string | undefined;
  deduplication: string | undefined;
}

export interface FakeAws {
  url: string;
  /** All that was taken, oldest first. */
  taken: Taken[];
  /** How the next calls go: taken, refused as a whole, one entry refused, or never answered. */
  mode: 'ok' | 'throttle' | 'deny' | 'refuse-first' | 'hang';
  calls: { service: string; signed: boolean }[];
  close(): Promise<void>;
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const escaped = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

interface Entry {
  id: string;
  taken: Taken;
}

/** SNS in the query protocol: `PublishBatchRequestEntries.member.1.Id=…`, answered in XML. */
function readQuery(form: URLSearchParams): Entry[] {
  const entries: Entry[] = [];
  for (let n = 1; form.has(`PublishBatchRequestEntries.member.${n}.Id`); n += 1) {
    const get = (name: string) => form.get(`PublishBatchRequestEntries.member.${n}.${name}`) ?? undefined;
    const kind = get('MessageAttributes.entry.1.Value.StringValue');
    const [group, deduplication] = [get('MessageGroupId'), get('MessageDeduplicationId')];
    entries.push({
      id: get('Id') ?? '',
      taken: { service: 'SNS', body: get('Message') ?? '', kind, group, deduplication },
    });
  }
  return entries;
}

interface JsonEntry {
  Id: string;
  MessageBody: string;
  MessageAttributes?: { kind?: { StringValue?: string } };
  MessageGroupId?: string;
  MessageDeduplicationId?: string;
}

/** SQS in AWS JSON 1.0. */
function readJson({ Entries }: { Entries: JsonEntry[] }): Entry[] {
  return Entries.map((entry) => ({
    id: entry.Id,
    taken: {
      service: 'SQS',
      body: entry.MessageBody,
      kind: entry.MessageAttributes?.kind?.StringValue,
      group: entry.MessageGroupId,
      deduplication: entry.MessageDeduplicationId,
    },
  }));
}

function xmlAnswer(good: Entry[], bad: Entry[]): string {
  const successful = good.map(
    ({ id }) => `<member><Id>${escaped(id)}</Id><MessageId>m-${escaped(id)}</MessageId></member>`,
  );
  const failed = bad.map(
    ({ id }) =>
      `<member><Id>${escaped(id)}</Id><Code>InternalError</Code><Message>no</Message><SenderFault>false</SenderFault></member>`,
  );
  return `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult>
    <Successful>${successful.join('')}</Successful><Failed>${failed.join('')}</Failed>
    </PublishBatchResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>`;
}

const jsonAnswer = (good: Entry[], bad: Entry[]) =>
  JSON.stringify({
    Successful: good.map(({ id, taken }) => ({ Id: id, MessageId: `m-${id}`, MD5OfMessageBody: md5(taken.body) })),
    Failed: bad.map(({ id }) => ({ Id: id, Code: 'InternalError', Message: 'no', SenderFault: false })),
  });

const REFUSALS = {
  throttle: { status: 400, query: 'Throttling', json: 'com.amazonaws.sqs#RequestThrottled' },
  deny: { status: 403, query: 'AuthorizationError', json: 'com.amazon.coral.service#AccessDeniedException' },
};

/** As much of SNS and SQS as publishing in batches needs, on loopback. */
export async function createFakeAws(): Promise<FakeAws> {
  const fake: FakeAws = { url: '', taken: [], mode: 'ok', calls: [], close: async () => undefined };
  const server = createServer(async (request, response) => {
    const text = await textOf(request);
    const isJson = String(request.headers['content-type']).includes('json');
    const signed = /^AWS4-HMAC-SHA256 Credential=AKIATEST\//.test(request.headers.authorization ?? '');
    fake.calls.push({ service: isJson ? 'SQS' : 'SNS', signed });
    const { mode } = fake;
    if (mode === 'hang') return;
    const type = { 'content-type': isJson ? 'application/x-amz-json-1.0' : 'text/xml' };
    if (mode === 'throttle' || mode === 'deny') {
      const { status, query, json } = REFUSALS[mode];
      const body = isJson
        ? JSON.stringify({ __type: json, message: 'secret sentence' })
        : `<ErrorResponse><Error><Type>Sender</Type><Code>${query}</Code><Message>secret sentence</Message></Error><RequestId>r</RequestId></ErrorResponse>`;
      return void response.writeHead(status, type).end(body);
    }
    const entries = isJson ? readJson(JSON.parse(text)) : readQuery(new URLSearchParams(text));
    const [bad, good] = mode === 'refuse-first' ? [entries.slice(0, 1), entries.slice(1)] : [[], entries];
    fake.taken.push(...good.map(({ taken }) => taken));
    response.writeHead(200, type).end(isJson ? jsonAnswer(good, bad) : xmlAnswer(good, bad));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fake.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return fake;
}
