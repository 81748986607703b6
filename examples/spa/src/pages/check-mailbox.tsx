import { useMutation } from 'urql';
import { Form } from '../form.tsx';
import { ResendVerificationEmailDocument } from '../operations.ts';
import { Page } from '../page.tsx';

/** Signed in, but the address is not verified: Credence answers nothing but the session until then. */
export function CheckMailbox({
  email,
  look,
}: {
  email: string;
  look(options: { requestPolicy: 'network-only' }): void;
}) {
  const [, resend] = useMutation(ResendVerificationEmailDocument);
  return (
    <Page title="Look into your mailbox">
      <p>
        We have sent a letter to <strong>{email}</strong>. Its link shows that the address is yours.
      </p>
      <p>
        <button type="button" onClick={() => look({ requestPolicy: 'network-only' })}>
          I have opened it
        </button>
      </p>
      <h2>No letter?</h2>
      <p>It may be among the unwanted ones. A letter has a link that works for 24 hours.</p>
      <Form
        submit="Send another letter"
        done="Another letter is on its way."
        act={async () => (await resend({ email })).error}
      />
    </Page>
  );
}
