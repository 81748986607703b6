import type { Config } from './config.js';
import type { Bus, BusMessage, BusName } from './event-bus.js';
import { openEventQueue } from './event-queue.js';
import { openEventTopic } from './event-topic.js';

/** The topic and the queue of the configuration. `requireOutside` refuses inside a database transaction. */
export function createEventBuses(
  config: Config['events'],
  { requireOutside }: { requireOutside: () => void },
): ReadonlyMap<BusName, Bus> {
  const { topicArn, queueUrl, awsEndpoint: endpoint, awsCredentials: credentials } = config;
  const buses = new Map<BusName, Bus>();
  const optionsFor = (region: string | undefined) => ({ region: region ?? config.awsRegion, endpoint, credentials });
  if (topicArn !== undefined) buses.set('SNS', openEventTopic(topicArn, optionsFor(topicArn.split(':')[3])));
  if (queueUrl !== undefined) buses.set('SQS', openEventQueue(queueUrl, optionsFor(regionOfQueue(queueUrl))));
  for (const [name, bus] of buses) {
    const send = (messages: readonly BusMessage[]) => {
      requireOutside();
      return bus.send(messages);
    };
    buses.set(name, { ...bus, send });
  }
  return buses;
}

const regionOfQueue = (url: string) => /^sqs\.([a-z0-9-]+)\.amazonaws\./.exec(new URL(url).hostname)?.[1];
