import { useQuery } from 'urql';
import { FreshProvider } from '../fresh.tsx';
import { ProfileDocument } from '../operations.ts';
import { Loaded, Page } from '../page.tsx';
import { Credits } from './credits.tsx';
import { Email } from './email.tsx';
import { Password } from './password.tsx';
import { Profile } from './profile.tsx';
import { SecondFactor } from './second-factor.tsx';
import { Sessions } from './sessions.tsx';

export function Account({ username }: { username: string }) {
  const query = useQuery({ query: ProfileDocument });
  return (
    <Page title={`Hello, ${username}`}>
      <FreshProvider>
        <Credits />
        <Loaded query={query}>
          {({ me }) => (
            <>
              <Profile person={me} />
              <Email email={me.email} />
              <Password username={me.username} />
              <SecondFactor isOn={me.hasTotp} />
            </>
          )}
        </Loaded>
        <Sessions />
      </FreshProvider>
    </Page>
  );
}
