import { useState } from 'react';
import { useMutation } from 'urql';
import { Field, Form, type Values } from '../form.tsx';
import { useFresh } from '../fresh.tsx';
import {
  ConfirmTotpEnrollmentDocument,
  DisableTotpDocument,
  StartTotpEnrollmentDocument,
  type StartTotpEnrollmentMutation,
} from '../operations.ts';
import { Section } from '../page.tsx';

const SAYS = { INVALID_CREDENTIALS: 'This code is not right, or was used before.' };
/** What both mutations change, for the cache: neither answers with it. */
const CHANGED = { additionalTypenames: ['User', 'Session'] };

function CodeField({ hint }: { hint: string }) {
  return <Field name="code" label="Code" autoComplete="one-time-code" autoCapitalize="none" hint={hint} />;
}

export function SecondFactor({ isOn }: { isOn: boolean }) {
  const [codes, setCodes] = useState<readonly string[]>([]);
  return (
    <Section title="Second step at sign-in">
      {codes.length > 0 && (
        <div role="status">
          <p>
            <strong>Your backup codes.</strong> Each works once. Keep them offline: they are not shown again.
          </p>
          <ul className="codes">
            {codes.map((code) => (
              <li key={code}>
                <code>{code}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      {isOn ? <On /> : <Off confirmed={setCodes} />}
    </Section>
  );
}

function Off({ confirmed }: { confirmed(codes: readonly string[]): void }) {
  const fresh = useFresh();
  const [, start] = useMutation(StartTotpEnrollmentDocument);
  const [, confirm] = useMutation(ConfirmTotpEnrollmentDocument);
  const [secret, setSecret] = useState<StartTotpEnrollmentMutation['startTotpEnrollment']>();

  async function begin() {
    const { data, error } = await fresh(() => start({}));
    setSecret(data?.startTotpEnrollment);
    return error;
  }

  async function act({ code = '' }: Values) {
    const { data, error } = await fresh(() => confirm({ code }, CHANGED));
    if (data) confirmed(data.confirmTotpEnrollment.backupCodes);
    return error;
  }

  if (!secret) {
    return (
      <>
        <p>Off. With it, signing in takes your password and a code of your phone.</p>
        <Form submit="Set it up" act={begin} />
      </>
    );
  }
  return (
    <>
      <p>
        Add this key to your authenticator app, or <a href={secret.uri}>open it on this device</a>:
      </p>
      <p>
        <code>{secret.secret.match(/.{1,4}/g)?.join(' ')}</code>
      </p>
      <Form submit="Switch on" act={act} says={SAYS}>
        <CodeField hint="The six digits that the app shows." />
      </Form>
    </>
  );
}

function On() {
  const fresh = useFresh();
  const [, disable] = useMutation(DisableTotpDocument);
  const act = async ({ code = '' }: Values) => (await fresh(() => disable({ code }, CHANGED))).error;
  return (
    <>
      <p>On. Signing in takes your password and a code.</p>
      <details>
        <summary>Switch it off</summary>
        <Form submit="Switch off" act={act} says={SAYS}>
          <CodeField hint="The six digits that the app shows, or a backup code." />
        </Form>
      </details>
    </>
  );
}
