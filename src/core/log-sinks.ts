import { resolve } from 'node:path';
import type { Config } from './config.js';
import { createLogstashSink, createSyslogSink } from './log-shipping.js';
import { type LineSink, type LogStore, openLogStore } from './log-store.js';
import type { Metrics } from './metrics.js';

/** Where log lines go besides standard output, as configured. */
export interface LogSinks {
  readonly store: LogStore | undefined;
  readonly all: readonly LineSink[];
  close(): Promise<void>;
}

/** How often it is said on standard error that lines are being lost. */
const COMPLAIN_EVERY_MS = 60_000;

export function openLogSinks(config: Pick<Config, 'dataDir' | 'log'>, metrics: Metrics): LogSinks {
  const { store: hasStore, retentionDays, logstashUrl, syslogUrl } = config.log;
  let complainedAt = Number.NEGATIVE_INFINITY;
  const store = hasStore
    ? openLogStore({ file: resolve(config.dataDir, 'logs.sqlite'), retentionDays }, (count, code) => {
        metrics.logLinesDropped.add('store', count);
        if (performance.now() - complainedAt < COMPLAIN_EVERY_MS) return;
        complainedAt = performance.now();
        process.stderr.write(`The log store cannot be written (${code}): log lines are lost there.\n`);
      })
    : undefined;
  const shipped = (receiver: 'logstash' | 'syslog') => ({
    onDropped: (count: number) => metrics.logLinesDropped.add(receiver, count),
  });
  const all = [
    store,
    logstashUrl && createLogstashSink(logstashUrl, shipped('logstash')),
    syslogUrl && createSyslogSink(syslogUrl, shipped('syslog')),
  ].filter((sink) => typeof sink === 'object');
  return {
    store,
    all,
    async close() {
      await Promise.all(all.map((sink) => sink.close()));
    },
  };
}
