import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Files that start processes, wait for real time, or walk through everything there is: some seconds to more than a
// minute each. Vitest would go by the size of a file, which says little, as long as it remembers no earlier run.
const SLOW =
  /\/tests\/(?:process|fleet|shipping|cli|browser)\/|\/(?:bad-input|data-directory|avatars|waiting|bootstrap|queue|spa|examples\.postgres|stories-\w+)(?:\.\w+)*\.ts$/;

/** A slow file that comes last leaves all other workers with nothing to do. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification) => SLOW.test(moduleId);
    return [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
  }
}
