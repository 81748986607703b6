import type { SQSClient } from '@aws-sdk/client-sqs';
import { answered, type Bus, type BusOptions, clientConfig, orderOf, outcomesOf } from './event-bus.js';

/** An SQS queue. Consumers find the kind in the attribute `kind` without reading the body. */
export function openEventQueue(queueUrl: string, options: BusOptions): Bus {
  let opening: Promise<SQSClient> | undefined;
  const open = () => {
    // Loaded when first needed: the package costs megabytes and a tenth of a second.
    opening ??= import('@aws-sdk/client-sqs').then(({ SQSClient: Client }) => new Client(clientConfig(options)));
    return opening;
  };
  return {
    async send(messages) {
      const client = await open();
      const { SendMessageBatchCommand } = await import('@aws-sdk/client-sqs');
      const command = new SendMessageBatchCommand({
        QueueUrl: queueUrl,
        Entries: messages.map((message, index) => ({
          Id: String(index),
          MessageBody: message.body,
          MessageAttributes: { kind: { DataType: 'String', StringValue: message.kind } },
          ...orderOf(queueUrl, message),
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
