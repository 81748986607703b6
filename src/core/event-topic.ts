import type { SNSClient } from '@aws-sdk/client-sns';
import { answered, type Bus, type BusOptions, clientConfig, orderOf, outcomesOf } from './event-bus.js';

/** An SNS topic. The attribute `kind` is there for the filter policies of subscriptions. */
export function openEventTopic(topicArn: string, options: BusOptions): Bus {
  let opening: Promise<SNSClient> | undefined;
  const open = () => {
    // Loaded when first needed: the package costs megabytes and a tenth of a second.
    opening ??= import('@aws-sdk/client-sns').then(({ SNSClient: Client }) => new Client(clientConfig(options)));
    return opening;
  };
  return {
    async send(messages) {
      const client = await open();
      const { PublishBatchCommand } = await import('@aws-sdk/client-sns');
      const command = new PublishBatchCommand({
        TopicArn: topicArn,
        PublishBatchRequestEntries: messages.map((message, index) => ({
          Id: String(index),
          Message: message.body,
          MessageAttributes: { kind: { DataType: 'String', StringValue: message.kind } },
          ...orderOf(topicArn, message),
        })),
      });
      const answer = await answered((abortSignal) => client.send(command, { abortSignal }));
      return outcomesOf(messages.length, answer);
    },
    close() {
      void opening?.then((client) => client.destroy());
    },
  };
}
