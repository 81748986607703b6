import { beforeEach, inject } from 'vitest';

// A failure says how to see it again.
beforeEach(({ onTestFailed, task }) => {
  onTestFailed(() => {
    process.stderr.write(
      `FAULTS_SEED=${inject('faultsSeed')} npm run test:faults -- -t ${JSON.stringify(task.name)}\n`,
    );
  });
});
